"""A grid of layer weights as the claims see it: measured cells, sampling errors, and the β-VAEs to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from results.correlation import block_weights
from results.frame import Frame
from results.frontier import Variant
from studies.hvae.hulls import total_rate_hull
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
_BLOCK = 3  # cells a side of the blocks that are resampled whole
_REACH = 3  # cells to each side over which noise is averaged


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
        """Standard errors of a quantity, (cells,): that of the test sample or the noise around a cell, the larger.

        Of the Inception Score and its factors, with only five splits behind each, the first is the root mean square
        over the grid; without a stored error it is 0.
        """
        stored = f"{name}.se"
        errors = np.nan_to_num(self[stored]) if stored in self.rows else np.zeros(len(self.rows))
        if name in SAMPLED:
            errors[:] = np.sqrt(np.mean(errors**2))
        return np.maximum(errors, self.noise(name))

    def noise(self, name: str) -> Floats:
        """How far a quantity scatters about a smooth landscape, (cells,): by the training and by the test sample.

        Of mixed second differences of 2 x 2 neighbouring cells, which a sum of functions of β2 and of β1 does not
        have and noise has at twice its size, half the root mean square over those around a cell; 0 where none is.
        """
        rows, columns = self._places
        values = np.full((rows.max(initial=0) + 1, columns.max(initial=0) + 1), np.nan)
        values[rows, columns] = self[name]
        squares = np.diff(np.diff(values, axis=0), axis=1) ** 2 / 4
        known = np.isfinite(squares)
        totals, counts = (_around(each) for each in (np.where(known, squares, 0.0), known.astype(np.float64)))
        found: Floats = np.sqrt(totals / np.maximum(counts, 1))[rows, columns]
        return found

    @cached_property
    def weights(self) -> Floats:
        """How often each bootstrap sample takes each cell, (resamples, cells): whole blocks of 3 x 3 neighbours."""
        rows, columns = (places // _BLOCK for places in self._places)
        return block_weights(np.unique(rows * len(WEIGHTS) + columns, return_inverse=True)[1].astype(np.intp))

    def redrawn(self, name: str) -> Floats:
        """A quantity drawn anew within its errors, for each bootstrap sample, (resamples, cells); a fixed seed."""
        noise = np.random.default_rng(list(name.encode())).normal(size=self.weights.shape)
        return self[name] + self.error(name) * noise

    @cached_property
    def _places(self) -> tuple[Positions, Positions]:
        """Row and column of each cell, by ascending β2 and β1."""
        rows, columns = (np.unique(self[axis], return_inverse=True)[1].astype(np.intp) for axis in (BETA2, BETA1))
        return rows, columns

    @property
    def steps(self) -> Positions:
        """How many steps of the grid β2 is above β1, (cells,)."""
        rows, columns = self._places
        return rows - columns

    def ratio(self, steps: int) -> float:
        """β2 / β1 of cells so many steps apart."""
        return float(np.median((self[BETA2] / self[BETA1])[self.steps == steps]))

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
        return total_rate_hull(self.rows, name, self.hull).positions

    def beside(self, values: Floats, positions: npt.ArrayLike) -> Floats:
        """Values, (cells,), of the β-VAE that has the total rate of each of some cells: between neighbours on a line.

        NaN outside the total rates of the β-VAEs.
        """
        between: Floats = self.beside_weights(positions) @ values
        return between

    def beside_weights(self, positions: npt.ArrayLike) -> Floats:
        """The share of every cell in that value, (positions, cells)."""
        rates = self[RATE]
        wanted: Floats = rates[np.asarray(positions)]
        own = np.flatnonzero(self.diagonal)
        order = own[np.argsort(rates[own], kind="stable")]
        shares = np.zeros((len(wanted), len(rates)))
        if not len(own):
            return np.full_like(shares, np.nan)
        for one, cell in zip(np.eye(len(order)), order, strict=True):
            shares[:, cell] = np.interp(wanted, rates[order], one, left=np.nan, right=np.nan)
        return shares

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
    means = groups.mean(numeric_only=True)
    for name in quantities:
        if f"{name}.se" in rows:
            squares = (rows[f"{name}.se"] ** 2).groupby([rows[BETA2], rows[BETA1]], sort=False).mean()
            means[f"{name}.se"] = np.sqrt(squares / groups.size())
    return means.assign(trials=groups["trial"].agg(tuple)).reset_index()


def _around(values: Floats) -> Floats:
    """Sums within reach of each cell, (rows, columns), of values between cells, (rows - 1, columns - 1)."""
    kernel = np.ones(2 * _REACH)
    padded = np.pad(values, _REACH)
    lines = np.apply_along_axis(np.convolve, 0, padded, kernel, mode="valid")
    sums: Floats = np.apply_along_axis(np.convolve, 1, lines, kernel, mode="valid")
    return sums
