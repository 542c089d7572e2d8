"""The digits studies' tables, on results made up so that every answer is known."""

from __future__ import annotations

import io
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from results.frame import Frame
from results.quantity import Quantity
from studies.digits.paper import HVAE, OBJECTIVES, PAPER
from studies.digits.tables import CLASSIFIERS, best_accuracy, objectives, optima
from studies.hvae.names import BETA1, BETA2

WEIGHTS = (0.1, 1.0, 10.0)
LABELS = ("β = 1", "β = 0.1", "KL annealing", "free bits", "target rate")


def numbers(quantities: tuple[Quantity, ...]) -> list[str]:
    return [quantity.name for quantity in quantities if quantity.form == "number"]


def grid(**values: dict[tuple[float, float], float]) -> Frame:
    """A 3 × 3 grid of (β2, β1); a quantity not given is 0.5, one given at some settings is 0.1 at the others."""
    rows = []
    for top in WEIGHTS:
        for bottom in WEIGHTS:
            name = f"{top:g}-{bottom:g}"
            row = {"trial": f"t{name}", "setting": f"s{name}", "seed": 0, "status": "completed"}
            row |= {BETA2: top, BETA1: bottom}
            for quantity in numbers(HVAE.quantities):
                key = quantity.replace("@", "_")
                row[quantity] = values[key].get((top, bottom), 0.1) if key in values else 0.5
            rows.append(row)
    return frame_of(HVAE.name, HVAE.quantities, rows)


def replicates(**values: list[list[float]]) -> Frame:
    """Five objectives at three seeds; a quantity that is not given is its objective's position plus a little noise."""
    generator = np.random.default_rng(0)
    rows = []
    for place, label in enumerate(LABELS):
        for seed in range(3):
            row = {"trial": f"t{place}{seed}", "setting": f"s{place}", "seed": seed, "status": "completed"}
            row["objective"] = label
            for quantity in numbers(OBJECTIVES.quantities):
                key = quantity.replace("@", "_")
                row[quantity] = values[key][place][seed] if key in values else place + generator.normal(0, 0.01)
            rows.append(row)
    return frame_of(OBJECTIVES.name, OBJECTIVES.quantities, rows)


def frame_of(study: str, quantities: tuple[Quantity, ...], rows: list[dict[str, object]]) -> Frame:
    return Frame(study=study, question="", axes=(), quantities=quantities, trials=pd.DataFrame(rows))


def without(frame: Frame, trials: set[str]) -> Frame:
    """The frame before these trials have run."""
    changed = frame.trials.copy()
    lost = changed["trial"].isin(trials)
    assert lost.sum() == len(trials)
    changed.loc[lost, "status"] = "missing"
    changed.loc[lost, numbers(frame.quantities)] = np.nan
    return Frame(study=frame.study, question="", axes=(), quantities=frame.quantities, trials=changed)


def test_best_accuracy_finds_the_best_setting_of_each_cell() -> None:
    frame = grid(**{"accuracy_svm_rbf_z2": {(0.1, 10.0): 0.8, (1.0, 1.0): 0.7}, "accuracy_knn_z1": {(10.0, 0.1): 0.9}})
    table = best_accuracy({HVAE.name: frame})
    assert [row.name for row in table.rows] == ["logistic", "svm_linear", "svm_rbf", "knn"]
    assert [column.name for column in table.columns] == ["z2", "z1"]
    best = table.cell("RBF SVM", "z2")
    assert (best.mean, best.n, best.planned, best.trials) == (0.8, 1, 1, ("t0.1-10",))
    assert math.isnan(best.std)
    assert best.note == "at (β₂, β₁) = (0.1, 10)"
    assert table.cell("knn", "z1").trials == ("t10-0.1",)
    assert table.cell("logistic", "z1").trials == ("t0.1-0.1",)  # all equal: the first
    assert table.coverage == (9, 9)
    assert table.notes == ()


def test_best_accuracy_of_a_study_under_way() -> None:
    frame = without(grid(accuracy_svm_rbf_z2={(0.1, 10.0): 0.8, (1.0, 1.0): 0.7}), {"t0.1-10", "t10-10"})
    table = best_accuracy({HVAE.name: frame})
    best = table.cell("svm_rbf", "z2")
    assert best.mean == 0.7
    assert best.note == "at (β₂, β₁) = (1, 1), the best of the 7 settings measured of 9"
    assert table.coverage == (7, 9)
    assert table.notes == ("digits/hvae: 7/9 trials (2 missing).",)


def test_nothing_has_run_yet() -> None:
    frame = grid()
    frame = without(frame, set(frame.trials["trial"]))
    table = best_accuracy({HVAE.name: frame})
    assert all(cell.missing for cell in table.cells.values())
    assert "No results yet: 0 of 9 planned trials." in table.markdown()
    assert "– (0/9)" in table.markdown()
    three = optima({HVAE.name: frame})
    assert three.cell("vae", "psnr").missing
    assert three.cell("vae", "beta2").mean == 1
    assert three.cell("best_psnr", "beta2").missing
    frame = replicates()
    table = objectives({OBJECTIVES.name: without(frame, set(frame.trials["trial"]))})
    assert all(cell.missing and cell.planned == 3 for cell in table.cells.values())
    assert "– (0/3)" in table.markdown()


def test_replicated_grids_are_judged_by_the_mean() -> None:
    frame = grid(accuracy_knn_z2={(0.1, 0.1): 0.9, (1.0, 1.0): 0.8})
    second = frame.trials.assign(seed=1, trial=frame.trials["trial"] + "'")
    second.loc[second["setting"] == "s0.1-0.1", "accuracy_knn@z2"] = 0.5
    both = Frame(
        study=HVAE.name, question="", axes=(), quantities=HVAE.quantities, trials=pd.concat([frame.trials, second])
    )
    cell = best_accuracy({HVAE.name: both}).cell("knn", "z2")
    assert (cell.mean, cell.std, cell.n, cell.planned) == (0.8, 0.0, 2, 2)
    assert cell.trials == ("t1-1", "t1-1'")


def test_optima() -> None:
    frame = grid(
        psnr={(0.1, 0.1): 20.0},
        **{"accuracy_svm_rbf_z2": {(0.1, 10.0): 0.8}, "elbo": {(1.0, 1.0): -120.0}},
    )
    table = optima({HVAE.name: frame})
    assert [row.name for row in table.rows] == ["vae", "best_psnr", "best_accuracy"]
    assert table.cell("vae", "negative_elbo").mean == 120
    assert table.cell("best_psnr", "psnr").mean == 20
    assert [table.cell("best_accuracy", beta).mean for beta in ("beta2", "beta1")] == [0.1, 10]
    assert table.cell("best_accuracy", "accuracy_svm_rbf@z2").trials == ("t0.1-10",)
    assert table.coverage == (9, 9)
    elsewhere = frame.subset((frame.trials[BETA2] > 1).to_numpy(), "objective.beta[1]>1")
    table = optima({HVAE.name: elsewhere})
    assert table.cell("vae", "psnr").missing  # β2 = β1 = 1 is not among these
    assert "Reduced study (objective.beta[1]>1): not comparable" in table.legend


ACCURACY = [[0.80, 0.81, 0.82], [0.60, 0.61, 0.62], [0.79, 0.82, 0.81], [0.765, 0.79, 0.78], [0.3, 0.3, 0.31]]


def test_objectives_marks_what_does_not_differ_from_the_best() -> None:
    frame = replicates(accuracy_svm_rbf_z1=ACCURACY)
    table = objectives({OBJECTIVES.name: frame})
    assert [row.name for row in table.rows] == list(LABELS)
    column = [table.cell(label, "accuracy_svm_rbf@z1") for label in LABELS]
    expected = [min(1, 4 * float(stats.ttest_ind(ACCURACY[0], other).pvalue)) for other in ACCURACY[1:]]
    np.testing.assert_allclose([cell.p_value for cell in column[1:]], expected)
    assert [cell.mark for cell in column] == ["bold", "plain", "bold", "bold", "plain"]
    assert math.isnan(column[0].p_value)
    assert column[0].std == pytest.approx(0.01)
    assert column[0].trials == ("t00", "t01", "t02")


def test_goals_of_the_columns() -> None:
    table = objectives({OBJECTIVES.name: replicates()})  # every quantity grows from row to row
    bold = {
        column.name: [row.name for row in table.rows if table.cells[row.name, column.name].mark == "bold"]
        for column in table.columns
    }
    assert bold["rate"] == bold["distortion"] == []
    assert bold["negative_elbo"] == bold["psnr"] == ["target rate"]
    assert bold["accuracy_knn@z1"] == ["target rate"]
    assert table.cell("free bits", "negative_elbo").mean == pytest.approx(-3, abs=0.05)


@pytest.mark.parametrize("correction", ["bonferroni", "holm", "none"])
@pytest.mark.parametrize("paired", [False, True])
def test_the_caption_says_which_test(correction: str, paired: bool) -> None:
    table = objectives({OBJECTIVES.name: replicates()}, correction=correction, paired=paired, alpha=0.01)
    assert ("paired by seed" in table.legend) == paired
    assert ("Bonferroni" in table.legend) == (correction == "bonferroni")
    assert ("Holm" in table.legend) == (correction == "holm")
    assert "α = 0.01" in table.legend
    assert "ddof = 1" in table.legend


def test_incomplete_objectives() -> None:
    frame = without(replicates(accuracy_svm_rbf_z1=ACCURACY), {"t10", "t11", "t21", "t40", "t41", "t42"})
    table = objectives({OBJECTIVES.name: frame})
    one = table.cell("β = 0.1", "accuracy_svm_rbf@z1")
    assert (one.n, one.mark, one.note) == (1, "plain", "not tested: fewer than two values")
    two = table.cell("KL annealing", "accuracy_svm_rbf@z1")
    assert (two.n, two.mark) == (2, "bold")
    assert two.p_value == pytest.approx(min(1, 2 * float(stats.ttest_ind(ACCURACY[0], ACCURACY[2][::2]).pvalue)))
    assert table.cell("target rate", "rate").missing
    text = table.markdown()
    assert "(2/3 seeds)" in text
    assert "(1/3 seeds)" in text
    assert "– (0/3)" in text
    assert "9 of 15 planned trials have all of these values." in text


def test_single_seeds_leave_nothing_bold() -> None:
    frame = replicates()
    frame = frame.subset((frame.trials["seed"] == 0).to_numpy(), "one seed")
    table = objectives({OBJECTIVES.name: frame})
    assert {cell.mark for cell in table.cells.values()} == {"plain"}
    assert "not tested" in table.markdown()


def test_a_study_of_no_trials_and_one_not_given() -> None:
    empty = replicates()
    empty = empty.subset(np.zeros(15, dtype=np.bool_), "nothing")
    table = objectives({OBJECTIVES.name: empty})
    assert "No rows: there is nothing to show." in table.markdown()
    assert "No trials are planned." in table.legend
    with pytest.raises(ValueError, match="needs the study digits/objectives; given are none"):
        objectives({})


def test_csv_is_the_same_whatever_order_the_frames_come_in() -> None:
    frames = {HVAE.name: grid(), OBJECTIVES.name: replicates()}
    for build in (best_accuracy, optima, objectives):
        assert build(frames).csv() == build(dict(reversed(frames.items()))).csv()
    rows = pd.read_csv(io.StringIO(objectives(frames).csv()))
    assert len(rows) == 5 * 8
    assert set(rows["unit"]) == {"nats", "dB", "fraction"}


def test_names_agree_with_the_paper() -> None:
    frames = {HVAE.name: grid(), OBJECTIVES.name: replicates()}
    built = {build.__name__: build(frames).name for build in (best_accuracy, optima, objectives)}
    assert {output.name: output.build for output in PAPER.tables} == {
        name: f"studies.digits.tables:{function}" for function, name in built.items()
    }
    measured = numbers(HVAE.quantities)
    assert {f"accuracy_{row.name}@{latent}" for row in CLASSIFIERS for latent in ("z1", "z2")} <= set(measured)


def test_tables_need_no_torch() -> None:
    code = "import studies.digits.tables, sys; print([m for m in ('torch', 'sklearn', 'ray') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
