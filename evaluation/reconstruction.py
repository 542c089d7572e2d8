"""PSNR of mode reconstructions, as Xiao & Bamler 2023 define it: z2 the mode of q(z2|x), z1 that of q(z1|z2, x)."""

from __future__ import annotations

import numpy as np

from evaluation.information import mean
from evaluation.view import View
from results.quantity import Estimate


def reconstruction(view: View, names: tuple[str, ...]) -> dict[str, Estimate]:
    """psnr = 10 log10(1 / MSE) in dB, for pixels in [0, 1].

    MSE is *global*: the mean over all pixels of the whole test set; a mean of the images' PSNRs is another number. The
    standard error is that of the mean of the images' squared errors, by the delta method: 10 / ln 10 · se(MSE) / MSE.
    """
    target = view.images.astype(np.float64) / view.data.spec.levels
    squared = (view.reconstructions() - target) ** 2
    error = mean(squared.reshape(len(squared), -1).mean(axis=1))
    if error.value == 0.0:
        return {"psnr": Estimate(float("inf"))}  # refused by `measure`, by name
    spread = (error.standard_error or 0.0) / error.value
    return {"psnr": Estimate(float(-10 * np.log10(error.value)), float(10 / np.log(10) * spread))}
