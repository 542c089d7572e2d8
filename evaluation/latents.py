"""Latent points to look at: posteriors as ellipses, and all dimensions by t-SNE (Seybold et al. 2019, Figs. 6, 8, 9).

Of up to 1,000 test data, the first ones, whose order on the sets of images is arbitrary.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.manifold import TSNE

from evaluation.errors import EvaluationError
from evaluation.rows import Floats
from evaluation.view import View

POINTS = 1000
STEPS = 500
PERPLEXITY = 30.0

Points = npt.NDArray[np.float32]


def latents(view: View, names: tuple[str, ...]) -> dict[str, Points]:
    """latents (n, 6) and tsne (n, 3), each with the label in the last column, of the top group.

    latents: the posterior's mean in the first two dimensions and L11, L21, L22 of the lower-triangular factor of its
    covariance there, LLᵀ. tsne: place in the plane of the posterior's mean in all dimensions.
    """
    group = view.groups[-1]
    count = min(POINTS, len(view.labels))
    mean = view.codes(group).mean[:count]
    label = view.labels[:count, None]
    found: dict[str, Points] = {}
    if "latents" in names:
        if mean.shape[1] < 2:
            raise EvaluationError(f"latents: an ellipse needs two dimensions, and {group} has one")
        # The leading block of a triangular factor is that of the leading block of the covariance.
        scale = view.scales(group, count)
        factor = scale[:, [0, 1, 1], [0, 0, 1]]
        found["latents"] = np.concatenate([mean[:, :2], factor, label], axis=1).astype(np.float32)
    if "tsne" in names:
        found["tsne"] = np.concatenate([embedded(mean), label], axis=1).astype(np.float32)
    return found


def embedded(points: Floats) -> Floats:
    """t-SNE (van der Maaten & Hinton 2008) in two dimensions, from the principal components: (n, d) -> (n, 2).

    Points that are all equal, a collapsed posterior's means, stay in one place. Raises EvaluationError for points that
    are not finite.
    """
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    if not np.isfinite(centred).all():
        raise EvaluationError("tsne: posterior means are not finite")
    size = np.abs(centred).max()
    if size <= np.finfo(np.float32).eps * np.abs(points).max():
        return np.zeros((len(points), 2))
    tsne = TSNE(init="pca", perplexity=min(PERPLEXITY, (len(points) - 1) / 3), max_iter=STEPS, random_state=0, n_jobs=1)
    places: Floats = tsne.fit_transform(centred / size)
    return places
