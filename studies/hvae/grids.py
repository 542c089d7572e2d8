"""A grid of layer weights as the claims see it: measured cells, sampling errors, and the β-VAEs to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from results.frame import Frame
from results.frontier import Variant, convex_hull
from studies.hvae.named_models import sampled
from studies.hvae.names import BETA1, BETA2, RATE, RATE2
from studies.hvae.paper import WEIGHTS

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.intp]

CELLS = len(WEIGHTS) ** 2  # 441
FEWEST = 397  # measured cells for which a claim is tested: nine tenths; the authors' LVAE grid has 439
SAMPLED = ("inception_score", "diversity", "sharpness")
_ALPHA = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """The cells of one study that have all of some quantities.

    study: its name without @small. rows: one a cell (β2, β1), means over seeds where there are several, with the trials
    behind it as a tuple in `trials`, and "<quantity>.se". hull: the variant of the hulls, see `convex_hull`.
    """

    study: str
    rows: pd.DataFrame
    hull: Variant = "text"

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> Floats:
        """The values of a quantity or axis, (cells,)."""
        return np.asarray(self.rows[name], dtype=np.float64)

    def error(self, name: str) -> Floats:
        """Standard errors of a quantity, (cells,), of the test sample; 0 where none is stored.

        Of the Inception Score and its factors, with only five splits behind each, the root mean square over the grid.
        """
        stored = f"{name}.se"
        if stored not in self.rows:
            return np.zeros(len(self.rows))
        errors = np.nan_to_num(self[stored])
        if name in SAMPLED:
            errors[:] = np.sqrt(np.mean(errors**2))
        return errors

    @property
    def diagonal(self) -> Flags:
        """Which cells are β-VAEs, β2 = β1."""
        return np.asarray(self.rows[BETA2] == self.rows[BETA1], dtype=np.bool_)

    def trials(self, positions: npt.ArrayLike) -> tuple[str, ...]:
        """The trials behind some cells, by position or by truth value."""
        return tuple(trial for trials in self.rows["trials"].to_numpy()[np.asarray(positions)] for trial in trials)

    def place(self, position: int) -> str:
        """A cell as text."""
        return f"({self[BETA2][position]:.3g}, {self[BETA1][position]:.3g})"

    def contenders(self, name: str) -> Flags:
        """The cells that are not shown to be worse than the best (subset selection, Gupta 1965).

        One-sided z-tests of the difference from the largest value, at 5 % over all cells (Bonferroni). Errors are taken
        as independent: models that share a test set differ by less, so that the subset is rather too large.
        """
        values, errors = self[name], self.error(name)
        best = int(values.argmax())
        critical = float(ndtri(1 - _ALPHA / len(values)))
        return np.asarray(values[best] - values <= critical * np.hypot(errors[best], errors), dtype=np.bool_)

    def upper_hull(self, name: str) -> Positions:
        """Positions of the cells that are optimal for a given total rate (Sec. 5.3)."""
        return convex_hull(self.rows, RATE, name, variant=self.hull if self[name].max() > 0 else "text").positions

    def beside(self, values: Floats, positions: npt.ArrayLike) -> Floats:
        """Values, (cells,), of the β-VAE that has the total rate of each of some cells: between neighbours on a line.

        NaN outside the total rates of the β-VAEs.
        """
        rates = self[RATE]
        wanted: Floats = rates[np.asarray(positions)]
        own = np.flatnonzero(self.diagonal)
        if not len(own):
            return np.full_like(wanted, np.nan)
        order = own[np.argsort(rates[own], kind="stable")]
        between: Floats = np.interp(wanted, rates[order], values[order], left=np.nan, right=np.nan)
        return between

    def above_beta_vae(self, positions: npt.ArrayLike) -> Floats:
        """R(z2) less that of the β-VAE of equal total rate, nats; NaN where there is none."""
        where = np.asarray(positions)
        gap: Floats = self[RATE2][where] - self.beside(self[RATE2], where)
        return gap

    def percentiles(self, name: str) -> Floats:
        """Where in the grid each value of a quantity stands, from 0 to 1, ties at their mean."""
        ranks = np.asarray(self.rows[name].rank(), dtype=np.float64)
        return (ranks - 0.5) / len(self)

    def top_tenth(self, name: str) -> Positions:
        """The tenth of the cells with the highest values, at least one."""
        order: Positions = np.argsort(-self[name], kind="stable")
        return order[: max(1, len(self) // 10)]


def measured(frame: Frame, study: str, quantities: Sequence[str], hull: Variant = "text") -> Grid:
    """The cells of a study with finite values of all these quantities, those of samples without their number."""
    columns = {sampled(frame, name) if name in SAMPLED else name: name for name in quantities}
    trials = frame.trials
    if any(column not in trials for column in columns):
        return Grid(study=study, rows=trials[:0].assign(trials=None), hull=hull)
    names = {**columns, **{f"{column}.se": f"{name}.se" for column, name in columns.items()}}
    wide = trials.rename(columns=names)
    finite = np.isfinite(wide[list(quantities)].to_numpy(np.float64)).all(axis=1)
    kept = wide[finite].reset_index(drop=True)
    if not kept.duplicated([BETA2, BETA1]).any():  # one seed a cell, as the studies are: nothing to average
        return Grid(study=study, rows=kept.assign(trials=[(trial,) for trial in kept["trial"]]), hull=hull)
    return Grid(study=study, rows=_means(kept, quantities), hull=hull)


def _means(rows: pd.DataFrame, quantities: Sequence[str]) -> pd.DataFrame:
    """Means over the seeds of each cell, with their standard errors."""
    groups = rows.groupby([BETA2, BETA1], sort=False)
    means = groups[list(quantities)].mean()
    for name in quantities:
        if f"{name}.se" in rows:
            squares = (rows[f"{name}.se"] ** 2).groupby([rows[BETA2], rows[BETA1]], sort=False).mean()
            means[f"{name}.se"] = np.sqrt(squares / groups.size())
    return means.assign(trials=groups["trial"].agg(tuple)).reset_index()
