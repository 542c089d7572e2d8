"""The paper's seven qualitative claims, each tested on the stored results by a stated rule.

`CLAIMS` has the paper's statements in our words and the rules in words; the rules themselves are functions of a grid
of layer weights, see `reconstruction_claims`, `generation_claims` and `representation_claims`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from results.frame import Frame
from results.frontier import Variant
from results.table import Cell, Heading, Table, coverage, describe_status
from studies.hvae import generation_claims, reconstruction_claims, representation_claims
from studies.hvae.claim_parts import (
    DIVERSITY,
    INFORMATION,
    INFORMATION_BOUND,
    LINEAR,
    LOGISTIC,
    NEIGHBOURS,
    PSNR,
    RBF,
    SCORE,
    SHARPNESS,
    TASKS,
    Part,
    Status,
)
from studies.hvae.grids import CELLS, FEWEST, SAMPLED, Grid, measured
from studies.hvae.named_models import sampled
from studies.hvae.names import CIFAR10, LADDER, MNIST, MODELS, RATE, RATE1, RATE2, SVHN
from studies.hvae.study_tables import NAMES, only

TOO_FEW, ELSEWHERE = "not enough trials", "not this data set"
_RATES = (RATE2, RATE1, RATE)
_WORST_FIRST: tuple[Status, ...] = ("does not hold", "cannot be told", "within sampling error", "holds")
_HULLS: Mapping[Variant, str] = {
    "text": "Hulls are those of the paper's text.",
    "visible": "Hulls are the facets seen from (0, 2 max), as in the authors' code.",
}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim.

    statement: the paper's, in our words; place: where it stands; rule: by which it is tested, in words. quantities:
    what a cell needs to count. studies: of which the paper says it.
    """

    number: int
    title: str
    statement: str
    place: str
    rule: str
    quantities: tuple[str, ...]
    test: Callable[[Grid], tuple[Part, ...]]
    studies: tuple[str, ...] = (SVHN, CIFAR10, MNIST, LADDER)

    @property
    def note(self) -> str:
        """Statement and rule, as a line below a table."""
        return f"{self.number} ({self.place}): {self.statement} Rule: {self.rule}"


CLAIMS = (
    Claim(
        number=1,
        title="No one model fits all tasks",
        place="Sec. 5.2",
        statement="The best models for reconstruction, sampling and classification are different, and none is a β-VAE.",
        rule="the cells with the highest PSNR, Inception Score (IS) and RBF-SVM accuracy on z₂ are three, none with "
        "β₂ = β₁; no cell may be the best at two, and no β-VAE at one, by one-sided z-tests at 5 % (Bonferroni).",
        quantities=(*_RATES, *TASKS),
        test=reconstruction_claims.different_optima,
    ),
    Claim(
        number=2,
        title="Rate moved from z₂ to z₁ reconstructs better",
        place="Sec. 5.4",
        statement="At equal total rate the models of best PSNR are no β-VAEs: they trade rate in z₂ for rate in z₁.",
        rule="at the best ratio β₂ / β₁ > 1 the mean PSNR is above that of β-VAEs of equal total rate, and the gain "
        "above that at the best ratio < 1 (both p < 5 % by permuting residuals from a smooth curve of the total rate "
        "among cells of nearly equal rate); most optima on the hull off the diagonal have less R(z₂) than β-VAEs "
        "(binomial test).",
        quantities=(*_RATES, PSNR),
        test=reconstruction_claims.trading_for_reconstruction,
    ),
    Claim(
        number=3,
        title="High IS on SVHN needs rate in z₂",
        place="Sec. 5.5, Fig. 5",
        statement="IS is high where β₂ < β₁, driven by sharpness, which depends mostly on R(z₂); it drops at very high "
        "R(z₂) with low R(z₁|z₂).",
        rule="two thirds of the best tenth by IS have β₂ < β₁, and more R(z₂) than β-VAEs of equal total rate; "
        "sharpness has more than half of the variance of log IS; R(z₂) explains more of sharpness (η² on tenths) than "
        "R(z₁|z₂); in the half with less R(z₁|z₂) the mean IS of the last tenth of R(z₂) is below that of the best "
        "tenth (Bonferroni); all by bootstrap intervals.",
        quantities=(*_RATES, SCORE, DIVERSITY, SHARPNESS),
        test=generation_claims.sampling_from_the_top,
        studies=(SVHN, LADDER),
    ),
    Claim(
        number=4,
        title="I(y; z₂) depends mainly on R(z₂)",
        place="Sec. 5.6, Fig. 7",
        statement="The mutual information of class and z₂ depends mainly on R(z₂).",
        rule="R(z₂) explains more than half of it (η² on tenths), and more than R(z₁|z₂), by bootstrap intervals; "
        "asked of the authors' estimate, which saturates at H(y) and tells nothing where it does so in every cell, "
        "and of a lower bound, which cannot.",
        quantities=(*_RATES, INFORMATION, INFORMATION_BOUND),
        test=representation_claims.information_of_the_top,
    ),
    Claim(
        number=5,
        title="Accuracy: I(y; z₂), or rate in z₁",
        place="Sec. 5.6, Fig. 7",
        statement="With expressive probes on simple data accuracy grows with I(y; z₂); with linear probes, or on "
        "CIFAR-10, raising R(z₁|z₂) improves it.",
        rule="RBF SVM and 5-NN have rank correlations above 0.5 with I(y; z₂) (not asked of CIFAR-10); the linear "
        "probes, on CIFAR-10 all four, have partial rank correlations above 0 with R(z₁|z₂) at fixed R(z₂) (bootstrap "
        "intervals), and most hull optima off the diagonal have more R(z₁|z₂) than β-VAEs of equal total rate "
        "(binomial test).",
        quantities=(*_RATES, INFORMATION, LOGISTIC, LINEAR, RBF, NEIGHBOURS),
        test=representation_claims.accuracy_and_rates,
    ),
    Claim(
        number=6,
        title="High IS on MNIST needs rate in z₁",
        place="App. A.2.1, Fig. 8",
        statement="On binary MNIST the best IS is at high R(z₁|z₂) rather than high R(z₂).",
        rule="in the best tenth by IS the median percentile of R(z₁|z₂) is 2/3 or more, that of R(z₂) below 2/3 "
        "(bootstrap intervals).",
        quantities=(*_RATES, SCORE),
        test=generation_claims.sampling_from_the_bottom,
        studies=(MNIST,),
    ),
    Claim(
        number=7,
        title="Three models in opposite orders",
        place="Fig. 4",
        statement="Of three models the one that reconstructs best samples worst: samples improve from 1 to 3 to 2, "
        "reconstructions from 3 to 2 to 1.",
        rule="1 has the highest PSNR, 2 the highest IS, 3 is the VAE (the paper does not say which models they are); "
        "IS rises from 1 to 3 and PSNR from 3 to 2, by 2 standard errors; the other two steps, to the maxima, can only "
        "rise and are not counted.",
        quantities=(*_RATES, PSNR, SCORE),
        test=reconstruction_claims.named_order,
        studies=(SVHN, LADDER),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a study says of a claim.

    cells: of the grid that have the claim's quantities; parts: as measured, none where those are too few.
    """

    claim: Claim
    grid: Grid
    parts: tuple[Part, ...]

    @property
    def applies(self) -> bool:
        """Whether the paper says it of this study's data set."""
        return self.grid.study in self.claim.studies

    @property
    def verdict(self) -> str:
        """The worst status of its parts; of another data set also whether the rule is met there."""
        if not self.parts:
            return f"{TOO_FEW} ({len(self.grid)} of {CELLS})"
        found = {part.status for part in self.parts if part.applies}
        return _told(next(status for status in _WORST_FIRST if status in found), self.applies)

    def status(self, part: Part) -> str:
        """The verdict on one part."""
        return _told(part.status, self.applies and part.applies)


def _told(status: Status, applies: bool) -> str:
    if applies:
        return status
    met = {"holds": "rule met", "cannot be told": status}.get(status, "rule not met")
    return f"{ELSEWHERE} ({met})"


def findings(frame: Frame, study: str, hull: Variant = "text") -> tuple[Finding, ...]:
    """The seven claims tested on one study, `study` its name without @small."""
    found = []
    for claim in CLAIMS:
        grid = measured(frame, study, claim.quantities, hull)
        found.append(Finding(claim=claim, grid=grid, parts=claim.test(grid) if len(grid) >= FEWEST else ()))
    return tuple(found)


def claims(frames: Mapping[str, Frame], *, hull: Variant = "text") -> Table:
    """The seven claims with their verdicts, of one study."""
    study, frame = only(frames)
    found = findings(frame, study, hull)
    cells: dict[tuple[str, str], Cell] = {}
    for finding in found:
        name = str(finding.claim.number)
        trials = finding.grid.trials(np.arange(len(finding.grid)))
        counted = [part for part in finding.parts if part.applies]
        kept = f"{sum(part.status == 'holds' for part in counted)} of {len(counted)}" if counted else ""
        cells[name, "verdict"] = _words(finding.verdict, trials)
        cells[name, "parts"] = _words(kept, trials if kept else ())
    columns = (Heading(name="verdict"), Heading(name="parts", label="parts that hold"))
    rows = tuple(
        Heading(name=str(finding.claim.number), label=f"{finding.claim.number} {finding.claim.title}")
        for finding in found
    )
    return _table(
        frame,
        hull,
        name=f"claims{NAMES[study]}",
        title=f"The paper's claims: {MODELS[study]}",
        caption="What the paper concludes from its figures, tested on these results by the rules below. A claim holds "
        "where all its parts do; it is within sampling error where the numbers say so, but noise could too, and "
        f"cannot be told where a number is missing. Tested where {FEWEST} of the {CELLS} cells (β₂, β₁) have what it "
        "needs. One model a cell was trained: how far another training would move its numbers is judged by how they "
        "scatter among neighbouring cells, where this is more than the standard error of the test sample. Bootstrap "
        "intervals (95 %) draw whole blocks of 3 x 3 cells, and values anew within their errors; this adds the noise a "
        "second time, so that correlations and shares come out rather too low.",
        stub="claim",
        rows=rows,
        columns=columns,
        cells=cells,
        notes=tuple(claim.note for claim in CLAIMS),
    )


def claims_evidence(frames: Mapping[str, Frame], *, hull: Variant = "text") -> Table:
    """The parts of the claims with the numbers that decide them, of one study."""
    study, frame = only(frames)
    found = [(finding, part) for finding in findings(frame, study, hull) for part in finding.parts]
    cells: dict[tuple[str, str], Cell] = {}
    for finding, part in found:
        trials = finding.grid.trials(part.cells)
        told = part.found == part.found
        cells[part.name, "found"] = Cell(
            mean=part.found,
            n=len(trials) if told else 0,
            planned=len(trials),
            trials=trials if told else (),
            digits=part.digits,
            note=part.evidence,
        )
        cells[part.name, "needed"] = Cell(text=part.needed)
        cells[part.name, "verdict"] = _words(finding.status(part), trials)
    columns = (Heading(name="found"), Heading(name="needed"), Heading(name="verdict"))
    return _table(
        frame,
        hull,
        name=f"claims_evidence{NAMES[study]}",
        title=f"The evidence on the paper's claims: {MODELS[study]}",
        caption="Each part of a claim: a number from these results, the bound that it has to keep, and whether it "
        "does.",
        stub="part of a claim",
        rows=tuple(Heading(name=part.name, label=f"{part.name} {part.label}", unit=part.unit) for _, part in found),
        columns=columns,
        cells=cells,
        notes=(),
    )


def _table(frame: Frame, hull: Variant, *, caption: str, notes: tuple[str, ...], **rest: Any) -> Table:
    needed = dict.fromkeys(name for claim in CLAIMS for name in claim.quantities)
    return Table(
        caption=f"{caption} {_HULLS[hull]}",
        coverage=coverage(frame, [sampled(frame, name) if name in SAMPLED else name for name in needed]),
        notes=(*notes, *describe_status(frame)),
        reduced=frame.reduced,
        comparable=frame.comparable,
        **rest,
    )


def _words(text: str, trials: tuple[str, ...]) -> Cell:
    return Cell(text=text, n=len(trials), planned=len(trials), trials=trials)
