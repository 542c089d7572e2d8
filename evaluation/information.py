"""Rates, distortion and ELBO: what the trained model says of the test set, in nats per datum.

rate_<group> is the mean KL of the group's posterior to its prior, E_x KL[q(z_g|z_>g, x) ‖ p(z_g|z_>g)]; `rate` is their
sum; `distortion` the mean of −log p(x|z) at one posterior sample a datum; elbo = −(rate + distortion). Neither β nor λ
enters.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import entropy

from evaluation.view import View
from results.quantity import Estimate


def information(view: View, names: tuple[str, ...]) -> dict[str, Estimate]:
    """rate_<group> for each group, rate, distortion and elbo: means over the test set with their standard errors."""
    per_datum = {f"rate_{group}": rate.astype(np.float64) for group, rate in view.rates.items()}
    rate = np.sum(list(per_datum.values()), axis=0)
    distortion = view.distortion.astype(np.float64)
    per_datum |= {"rate": rate, "distortion": distortion, "elbo": -(rate + distortion)}
    return {name: mean(values) for name, values in per_datum.items()}


def label_entropy(labels: npt.NDArray[np.int64]) -> float:
    """H(y) of labels (N,) by their frequencies, nats: at most log M of M classes, to the last bit."""
    counts = np.unique(labels, return_counts=True)[1]
    return min(float(entropy(counts)), float(np.log(len(counts))))  # scipy's sum may round above it


def mean(values: npt.NDArray[np.float64]) -> Estimate:
    """Sample mean with its standard error, s/√N with ddof 1."""
    return Estimate(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))
