"""A lower bound on I_q(y; z) from a classifier of sampled codes (Barber & Agakov 2003), which cannot saturate.

    I(y; z) = H(y) − H(y|z) ≥ H(y) − E[−log P(y|z)]        nats, z ~ q(z|x)

for any P(y|z): here a small network fitted to codes of 80 % of the test split and scored on the rest, the split of the
probes. The plug-in of Xiao & Bamler (evaluation/mutual_information.py) reaches H(y) wherever posteriors are narrow,
whether or not z says anything of y; this bound stays at 0 there. It is loose where the network reads the codes badly or
overfits, and is cut to [0, H(y)], between which the information lies; so a value of 0 says nothing.
"""

from __future__ import annotations

from evaluation.errors import EvaluationError
from evaluation.information import label_entropy, mean
from evaluation.probes import split
from evaluation.semantics import TEST_DRAWS, hold_out
from evaluation.softmax_probes import MLP, fit, sampled
from evaluation.view import View
from results.quantity import Estimate


def mutual_information_bound(view: View, names: tuple[str, ...]) -> dict[str, Estimate]:
    """mutual_information_bound@<top group>; the standard error is that of the mean cross-entropy of the scored data.

    H(y) is the entropy of the labels that are scored. Raises EvaluationError for another group, of whose posterior
    there are no independent samples, and for codes that are not finite.
    """
    top = view.groups[-1]
    for name in names:
        if name != f"mutual_information_bound@{top}":
            raise EvaluationError(f"only the top group is sampled: mutual_information_bound@{top}, not {name!r}")
    codes = sampled(view.draws("test", top, TEST_DRAWS), view.labels)
    fitted, scored = (codes.rows(part) for part in split(len(view.labels)))
    probe = fit(MLP, *hold_out(fitted), view.data.spec.classes, view.noise)
    surprise = mean(probe.score(scored)[1])
    of_labels = label_entropy(scored.labels.numpy())
    bound = min(max(of_labels - surprise.value, 0.0), of_labels)
    return {f"mutual_information_bound@{top}": Estimate(bound, surprise.standard_error)}
