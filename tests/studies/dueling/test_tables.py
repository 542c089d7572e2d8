"""What all tables of Dueling Decoders have in common."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from results.frame import Frame
from results.store import ResultStore
from studies.dueling.names import (
    AUXILIARIES,
    ENLARGED,
    GRID,
    OBJECTIVES,
)
from studies.dueling.paper import GRID as STUDY
from studies.dueling.tables import table1, table2, table3, table4, table4_ratios, table8
from sweep.outputs import study_frame

Printed = Callable[..., Frame]


@pytest.mark.parametrize("build", [table1, table2, table3, table4, table4_ratios, table8])
def test_what_is_not_there_is_refused_and_what_is_empty_is_said(printed: Printed, build: object) -> None:
    assert callable(build)
    with pytest.raises(ValueError, match="this table needs the study dueling/"):
        build({})
    frames = {GRID: printed(GRID), OBJECTIVES: printed(OBJECTIVES), AUXILIARIES: printed(AUXILIARIES)}
    empty = {
        name: frame.subset(np.zeros(len(frame.trials), dtype=np.bool_), "nothing") for name, frame in frames.items()
    }
    written = build(empty).markdown()
    assert "No trials are planned." in written


def test_the_test_can_be_chosen(printed: Printed) -> None:
    frames = {GRID: printed(GRID), OBJECTIVES: printed(OBJECTIVES)}
    for build, count in ((table1, 2), (table2, 3)):
        plain = build(frames, correction="none")
        corrected = build(frames)
        ratios = [
            corrected.cells[place].p_value / cell.p_value
            for place, cell in plain.cells.items()
            if 0 < cell.p_value < 0.3
        ]
        assert ratios == pytest.approx([count] * len(ratios))
        assert ratios
        assert "paired by seed" in build(frames, paired=True, alpha=0.01).legend


def test_what_is_asked_for_decides_what_may_stand_against_published_numbers(tmp_path: Path) -> None:
    store = ResultStore.open(tmp_path / "runs", create=True)
    part = STUDY.with_seeds(2).select("data=mnist")
    for study, told in (
        (part, "A part of the study: 2 of 3 seeds; only data=mnist."),
        (part.select("model.latent=16"), "Reduced study (2 of 3 seeds; only data=mnist; only model.latent=16): not "),
        (STUDY.small().select("data=mnist"), "its schedule scaled with the steps; only data=mnist): not comparable"),
    ):
        assert told in table1({GRID: study_frame(study, store)}).legend


@pytest.mark.slow
def test_latex_compiles(printed: Printed, compile_latex: Callable[..., str]) -> None:
    frames = {study: printed(study) for study in (GRID, ENLARGED, OBJECTIVES, AUXILIARIES)}
    tables = [build(frames) for build in (table1, table2, table3, table4, table4_ratios, table8)]
    for packages in ("booktabs", "booktabs,xcolor"):
        log = compile_latex([table.latex() for table in tables], packages)
        assert "Missing character" not in log
        assert "Float too large" not in log


def test_tables_need_no_torch() -> None:
    heavy = ("torch", "sklearn", "ray", "plotly")
    code = f"import studies.dueling.tables, sys; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
