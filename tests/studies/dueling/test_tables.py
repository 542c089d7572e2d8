"""The tables of Dueling Decoders, on results made up so that every answer is known: mostly the paper's own numbers."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from results.frame import Frame
from results.quantity import Quantity
from results.table import Table
from studies.dueling.lines import METRICS
from studies.dueling.low_rate import PLAIN, PLUS
from studies.dueling.names import (
    AUXILIARIES,
    DATA_SETS,
    ENLARGED,
    GRID,
    LABEL_DISTORTION,
    LINEAR,
    MLP,
    OBJECTIVES,
    RECONSTRUCTION,
)
from studies.dueling.sizes import BATCH, BETA, LATENT, WEIGHT
from studies.dueling.tables import table1, table2, table3, table4, table4_ratios, table8
from studies.published import read_published

NUMBERS = read_published("studies.dueling")
QUANTITIES = tuple(
    Quantity(name=name, unit=unit, goal=goal, family="m:f", label=label)
    for name, unit, goal, label in (
        ("rate", "nats", "minimise", "total rate"),
        ("distortion", "nats", "minimise", ""),
        ("elbo", "nats", "maximise", ""),
        (MLP, "fraction", "maximise", "MLP accuracy on z1"),
        (LABEL_DISTORTION, "nats", "minimise", ""),
        (LINEAR, "fraction", "maximise", ""),
        (RECONSTRUCTION, "fraction", "maximise", ""),
        ("reference_accuracy", "fraction", "maximise", ""),
        ("supervised_accuracy", "fraction", "maximise", ""),
    )
)


def three(mean: float, std: float) -> tuple[float, float, float]:
    """Three values with exactly this mean and standard deviation (ddof = 1)."""
    return mean - std, mean, mean + std


def replicates(
    setting: str, at: Mapping[str, object], values: Mapping[str, tuple[float, ...]]
) -> list[dict[str, object]]:
    """The rows of one setting; a quantity that is not given has no value."""
    rows = []
    for seed in range(3):
        row = {"trial": f"{setting}-{seed}", "setting": setting, "seed": seed, "status": "completed"}
        rows.append(
            row | dict(at) | {q.name: values[q.name][seed] if q.name in values else math.nan for q in QUANTITIES}
        )
    return rows


def frame_of(study: str, rows: list[dict[str, object]], reduced: str = "") -> Frame:
    columns = ["trial", "setting", "seed", "status", "data", "model.decoder"]
    trials = pd.DataFrame(rows, columns=None if rows else [*columns, *(q.name for q in QUANTITIES)])
    return Frame(study=study, question="", axes=(), quantities=QUANTITIES, trials=trials, reduced=reduced)


def as_printed(table: str, data: str, model: str, config: str | None = None) -> dict[str, tuple[float, ...]]:
    """Three values of each quantity that give the printed mean and standard deviation."""
    values = {}
    for ours, theirs in METRICS.items():
        number = NUMBERS.find(table, theirs, dataset=data.replace("-", "_"), model=model, config=config)
        if number is not None:
            printed = number.of_runs(3)
            values[ours] = three(printed.value, 0.0 if math.isnan(printed.std) else printed.std)
    if "negative_elbo" in values:
        values["elbo"] = tuple(-value for value in values.pop("negative_elbo"))
    return values


def winner(data: str, decoder: str) -> list[dict[str, object]]:
    """The trials behind a row of Tables 1 and 8, at the paper's hyper-parameters."""
    settings = NUMBERS.settings("T8", dataset=data.replace("-", "_"), model=decoder)
    at = {
        "data": data,
        "model.decoder": decoder,
        BETA: float(settings["beta"]),
        BATCH: int(settings["batch"]),
        LATENT: int(settings["latent"]),
        WEIGHT: float(settings["lambda"]) or None,
    }
    values = as_printed("T1", data, decoder) | {"reference_accuracy": (0.99, 0.99, 0.99)}
    return replicates(f"{data}-{decoder}", at, values)


def losers(data: str, decoder: str) -> list[dict[str, object]]:
    """A setting with a better accuracy at too high a rate, and one at a low rate with a worse accuracy."""
    at = {"data": data, "model.decoder": decoder, BETA: 0.5, BATCH: 16, LATENT: 4, WEIGHT: None}
    high = {name: three(0.99, 0.0) for name in (MLP, LINEAR, RECONSTRUCTION)} | {"rate": three(10.0, 0.5)}
    low = {name: three(0.12, 0.0) for name in (MLP, LINEAR, RECONSTRUCTION)} | {"rate": three(0.1, 0.0)}
    return [*replicates(f"{data}-{decoder}-high", at, high), *replicates(f"{data}-{decoder}-low", at, low)]


def grid(reduced: str = "", data_sets: tuple[str, ...] = tuple(DATA_SETS)) -> Frame:
    rows = [row for data in data_sets for decoder in PLAIN for row in (*losers(data, decoder), *winner(data, decoder))]
    return frame_of(GRID, rows, reduced)


def enlarged() -> Frame:
    return frame_of(ENLARGED, [row for decoder in PLUS for row in winner("fashion-mnist", decoder)])


def bold(table: Table, column: str) -> dict[str, set[str]]:
    """The rows in bold by what stands before their slash."""
    found: dict[str, set[str]] = {}
    for row in table.rows:
        if table.cells[row.name, column].mark == "bold":
            data, _, decoder = row.name.partition("/")
            found.setdefault(data, set()).add(decoder)
    return found


def test_marks_of_table_1_are_those_recomputed_from_the_printed_values() -> None:
    """The marks that the paper's own means, standard deviations, n = 3 and Bonferroni n = 2 give (spec. P000.9)."""
    table = table1({GRID: grid(), ENLARGED: enlarged()})
    pixel, cnn, duel = PLAIN
    plus = set(PLUS)  # of the enlarged networks nothing differs
    assert bold(table, MLP) == {
        "stochastic-mnist": {duel},
        "thresholded-mnist": {duel},
        "mnist": {duel},
        "fashion-mnist": {pixel, duel} | plus,
    }
    assert bold(table, LABEL_DISTORTION) == {
        "stochastic-mnist": {duel},
        "thresholded-mnist": {duel},
        "mnist": {duel, cnn},
        "fashion-mnist": {pixel, duel} | plus,
    }
    assert bold(table, LINEAR) == {
        "stochastic-mnist": {duel, cnn},
        "thresholded-mnist": {duel, cnn},
        "mnist": {duel, cnn},
        "fashion-mnist": {cnn, pixel, duel} | plus,
    }
    assert bold(table, RECONSTRUCTION) == {
        "stochastic-mnist": {duel, cnn},
        "thresholded-mnist": {duel},
        "mnist": {duel, cnn},
        "fashion-mnist": {pixel, duel} | plus,
    }
    assert bold(table, "rate") == bold(table, "negative_elbo") == bold(table, "distortion") == {}


def test_the_paper_s_own_numbers_agree_with_it() -> None:
    table = table1({GRID: grid(), ENLARGED: enlarged()})
    assert [row.name.partition("/")[0] for row in table.rows] == [
        *np.repeat(list(DATA_SETS), 3),
        *["fashion-mnist"] * 2,
    ]
    for (_, column), cell in table.cells.items():
        assert cell.published is not None
        assert cell.mean == pytest.approx(cell.published.value)
        stated = not math.isnan(cell.published.std)
        expected = "agrees" if stated else "inside our 95 % interval"
        assert cell.verdict == ("" if column == BETA else expected)
    cell = table.cells["mnist/Dueling Decoder", MLP]
    assert cell.trials == tuple(f"mnist-Dueling Decoder-{seed}" for seed in range(3))
    assert (cell.n, cell.planned) == (3, 3)
    assert "Shown: the setting with the highest mean MLP accuracy on z1 among those with mean total rate < 10 nats" in (
        table.legend
    )
    assert "MNIST 0.990" in table.legend
    assert "published: > 98 % on each MNIST, 94 % on Fashion-MNIST" in table.legend
    assert any("7.93, 0.92, 0.88 (Table 1), 8.13" in note for note in table.notes)


def test_other_numbers_differ() -> None:
    frame = grid()
    frame.trials[RECONSTRUCTION] += 0.1
    frame.trials["distortion"] += 0.06
    table = table1({GRID: frame})
    cell = table.cells["thresholded-mnist/CNN", RECONSTRUCTION]
    test = stats.ttest_ind_from_stats(0.91, 0.02, 3, 0.81, 0.02, 3)
    assert cell.verdict == f"differs (p = {test.pvalue:.2g})"
    assert table.cells["thresholded-mnist/CNN", "distortion"].verdict == "outside our 95 % interval"
    frame.trials["distortion"] -= 0.02
    inside = table1({GRID: frame}).cells["thresholded-mnist/CNN", "distortion"]
    assert inside.verdict == "inside our 95 % interval"  # 123.44 is printed as 123.4


def test_a_reduced_or_filtered_study_is_never_comparable() -> None:
    frames = {GRID: grid("14×14 images", ("thresholded-mnist",))}
    for table in (table1(frames), table8(frames), table4(frames)):
        verdicts = {cell.verdict for cell in table.cells.values() if cell.published} - {""}
        assert verdicts == {"not comparable"}
        assert "Reduced study (14×14 images)" in table.legend
        assert all(row.name.startswith("thresholded-mnist") for row in table.rows)
    mixed = table1({GRID: grid("small"), ENLARGED: enlarged()})
    assert mixed.reduced == "dueling/grid: small"
    assert mixed.cells["fashion-mnist/CNN", MLP].verdict == "not comparable"
    assert mixed.cells["fashion-mnist/PixelCNN+", MLP].verdict == "agrees"


def test_no_setting_under_ten_nats_is_said() -> None:
    frame = grid()
    frame.trials.loc[frame.trials["model.decoder"] == "CNN", "rate"] += 10
    for reduced in ("", "small"):
        chosen = Frame(study=GRID, question="", axes=(), quantities=QUANTITIES, trials=frame.trials, reduced=reduced)
        table = table1({GRID: chosen})
        row = "stochastic-mnist/CNN"
        assert all(table.cells[row, column.name].missing for column in table.columns)
        assert table.cells[row, MLP].verdict == "no setting < 10 nats"
        assert table.cells[row, MLP].planned == 3
        assert table.cells[row, BETA].note == "no setting with mean total rate < 10 nats (3 of 3 settings measured)"
        assert bold(table, MLP)["stochastic-mnist"] == {"Dueling Decoder"}


def test_a_study_under_way() -> None:
    frame = grid()
    gone = ["mnist-CNN-1", "mnist-CNN-2", "mnist-PixelCNN-0", *(f"fashion-mnist-CNN-{seed}" for seed in range(3))]
    lost = frame.trials["trial"].isin(gone)
    frame.trials.loc[lost, [quantity.name for quantity in QUANTITIES]] = np.nan
    frame.trials.loc[lost, "status"] = "missing"
    table = table1({GRID: frame})
    one = table.cells["mnist/CNN", MLP]
    assert (one.n, one.planned, one.verdict, one.mark) == (1, 3, "too few seeds", "plain")
    assert one.note == "not tested: fewer than two values"
    assert table.cells["mnist/PixelCNN", MLP].n == 2
    low = table.cells["fashion-mnist/CNN", MLP]  # all that is left of it
    assert low.mean == pytest.approx(0.12)
    assert table.cells["fashion-mnist/CNN", BETA].note == "the best of the 2 settings measured of 3"
    frame.trials.loc[:, [quantity.name for quantity in QUANTITIES]] = np.nan
    nothing = table1({GRID: frame})
    assert all(cell.missing and not cell.verdict for cell in nothing.cells.values())
    assert nothing.cells["mnist/CNN", BETA].note == "none of 3 settings has results yet"
    assert nothing.cells["mnist/CNN", MLP].published is not None
    assert "not measured yet (published" in nothing.legend
    for build in (table4, table4_ratios, table8):
        assert all(cell.missing for cell in build({GRID: frame}).cells.values())


def test_table_8_shows_the_settings_beside_the_paper_s() -> None:
    table = table8({GRID: grid(), ENLARGED: enlarged()})
    assert [row.name.partition("/")[0] for row in table.rows][:4] == [*["thresholded-mnist"] * 3, "stochastic-mnist"]
    row = "fashion-mnist/Dueling Decoder"
    values = [table.cells[row, column] for column in (BETA, BATCH, LATENT, WEIGHT)]
    assert [cell.mean for cell in values] == [1.0, 64, 64, 0.1]
    assert [cell.published.value for cell in values if cell.published] == [1.0, 64, 64, 0.1]
    assert [cell.verdict for cell in values] == [""] * 4
    assert table.cells["mnist/CNN", WEIGHT].mean == 0
    verdict = table.cells["mnist/Dueling Decoder", "distortion"].verdict  # Table 8 has its spread, our three have none
    test = stats.ttest_ind_from_stats(554.8, 0, 3, 554.8, 2.7, 3)
    assert verdict == "agrees"
    assert test.pvalue == 1
    one = table.markdown().splitlines()[6:9]
    assert [line.split("|")[1].strip() for line in one] == ["Thresholded MNIST, PixelCNN", "↳ published", "↳ verdict"]


PAPER_LABELS = {
    "β = 1": ("PixelCNN", "beta=1.0"),
    "β = 0.1": ("PixelCNN", "beta=0.1"),
    "Dueling λ = 0.1": ("Dueling Decoder", ""),
    "KL annealing over 5,000 steps": ("KL Annealing", ""),
    "free bits": ("Free Bits", ""),
    "target rate": ("Penalty-VAE", ""),
}


def objectives(**others: dict[str, tuple[float, ...]]) -> Frame:
    rows = []
    for place, (label, (model, config)) in enumerate(PAPER_LABELS.items()):
        values = as_printed("T2", "thresholded-mnist", model, config)
        rows += replicates(f"s{place}", {"objective": label}, values)
    for label, values in others.items():
        rows += replicates(label, {"objective": label.replace("_", " ")}, values)
    return frame_of(OBJECTIVES, rows)


def test_table_2_marks_the_bottom_four_rows() -> None:
    """KL annealing and Dueling Decoders in both columns, from the printed values with n = 3 (spec. P000.9)."""
    table = table2({OBJECTIVES: objectives()})
    assert [row.name for row in table.rows] == [
        "PixelCNN β = 1",
        "PixelCNN β = 0.1",
        "Dueling Decoder",
        "KL annealing",
        "free bits",
        "target rate",
    ]
    marks = {
        column: {row.name for row in table.rows if table.cells[row.name, column].mark == "bold"}
        for column in (MLP, RECONSTRUCTION, "rate")
    }
    assert marks == {
        MLP: {"Dueling Decoder", "KL annealing"},
        RECONSTRUCTION: {"Dueling Decoder", "KL annealing"},
        "rate": set(),
    }
    test = stats.ttest_ind_from_stats(0.92, 0.01, 3, 0.81, 0.01, 3)
    assert table.cells["free bits", MLP].p_value == pytest.approx(3 * float(test.pvalue))
    assert {cell.verdict for (_, column), cell in table.cells.items() if column != "rate"} == {"agrees"}
    assert table.cells["free bits", "rate"].verdict == "inside our 95 % interval"


def test_table_2_chooses_among_the_settings_of_a_modification() -> None:
    better = {MLP: three(0.95, 0.01), RECONSTRUCTION: three(0.9, 0.01), "rate": three(9.5, 0.1)}
    high = better | {MLP: three(0.99, 0.0), "rate": three(12.0, 0.1)}
    table = table2({OBJECTIVES: objectives(KL_annealing_over_9_steps=better, Dueling_1=high)})
    assert table.cells["KL annealing", MLP].mean == pytest.approx(0.95)
    note = table.cells["KL annealing", "rate"].note
    assert note.startswith("KL annealing over 9 steps: the setting with the highest mean MLP accuracy")
    assert note.endswith("< 10 nats, of 2")
    assert table.cells["Dueling Decoder", "rate"].mean == pytest.approx(8.13)  # the other is above 10 nats
    only = objectives(KL_annealing_over_9_steps=high)
    only.trials.loc[only.trials["objective"] == "KL annealing over 5,000 steps", "rate"] = 11.0
    chosen = table2({OBJECTIVES: only})
    assert chosen.cells["KL annealing", "rate"].mean == pytest.approx(12)
    assert chosen.cells["KL annealing", "rate"].note.endswith("accuracy on z1, of 2")


def auxiliaries() -> Frame:
    rows = []
    for label in ("Conv", "Gradient", "Marginals", "Histogram"):
        values = as_printed("T3", "thresholded-mnist", f"aux={label}")
        at = {"data": "thresholded-mnist", "model.auxiliary": label}
        rows += replicates(label, at, values)
        rows += replicates(f"{label}-high", at, values | {"rate": three(11, 0), MLP: three(0.99, 0)})
    return frame_of(AUXILIARIES, rows)


def test_table_3_has_the_paper_s_rows() -> None:
    table = table3({GRID: grid(), AUXILIARIES: auxiliaries()})
    assert [row.name for row in table.rows] == ["None", "Conv", "Gradient", "Marginals", "Histogram"]
    assert table.cells["None", MLP].mean == pytest.approx(0.58)
    assert table.cells["None", RECONSTRUCTION].mean == pytest.approx(0.47)  # Table 1's; Table 3 prints 0.41
    assert table.cells["None", RECONSTRUCTION].published is not None
    assert table.cells["None", "supervised_accuracy"].missing
    assert table.cells["Marginals", "rate"].mean == pytest.approx(9.03)
    supervised = table.cells["Histogram", "supervised_accuracy"]
    assert (supervised.n, supervised.planned, supervised.verdict) == (1, 1, "too few seeds")
    assert table.coverage == (33, 33)  # 24, and of the grid the 9 PixelCNNs on thresholded MNIST
    alone = table3({AUXILIARIES: auxiliaries()})
    assert [row.name for row in alone.rows] == ["Conv", "Gradient", "Marginals", "Histogram"]
    assert "Rows of dueling/grid were not asked for." in alone.notes


def test_table_4_is_the_squared_correlation_over_all_models() -> None:
    frame = grid()
    generator = np.random.default_rng(1)
    for name, noise in ((LINEAR, 0.2), (MLP, 0.05)):
        frame.trials[name] = frame.trials[RECONSTRUCTION] + generator.normal(0, noise, len(frame.trials))
    table = table4({GRID: frame})
    assert [row.name for row in table.rows] == ["thresholded-mnist", "stochastic-mnist", "mnist", "fashion-mnist"]
    for row in table.rows:
        rows = frame.trials[frame.trials["data"] == row.name]
        for column in (LINEAR, MLP):
            cell = table.cells[row.name, column]
            r = stats.pearsonr(rows[RECONSTRUCTION], rows[column])
            assert cell.mean == pytest.approx(r.statistic**2)
            assert cell.n == len(rows) == 27
            interval = r.confidence_interval(0.95)
            assert cell.published is not None
            inside = interval.low**2 - 0.0005 <= cell.published.value <= interval.high**2 + 0.0005
            assert cell.verdict == f"{'inside' if inside else 'outside'} our 95 % interval"
    assert {cell.verdict for cell in table.cells.values()} == {"inside our 95 % interval", "outside our 95 % interval"}
    frame.trials.loc[frame.trials["data"] == "mnist", MLP] = 0.5
    frame.trials.loc[(frame.trials["data"] == "fashion-mnist") & (frame.trials["seed"] > 0), MLP] = np.nan
    changed = table4({GRID: frame})
    assert changed.cells["mnist", MLP].note == "no correlation where an accuracy does not vary"
    assert "(9/27 models)" in changed.markdown()


def test_the_ratios_of_section_4_6() -> None:
    frame = grid()
    table = table4_ratios({GRID: frame})
    ratio = 100 * frame.trials[RECONSTRUCTION] / frame.trials[MLP]
    cell = table.cells["all", "reconstruction"]
    assert (cell.mean, cell.std) == (pytest.approx(ratio.mean()), pytest.approx(ratio.std()))
    assert cell.published is not None
    assert (cell.published.value, cell.published.std) == (88, 11)
    low, high = stats.t.interval(0.95, len(ratio) - 1, loc=ratio.mean(), scale=stats.sem(ratio))
    assert cell.verdict == f"{'inside' if low - 0.5 <= 88 <= high + 0.5 else 'outside'} our 95 % interval"
    assert table.cells["all", "linear"].published is not None
    assert table.cells["mnist", "linear"].published is None
    one = table4_ratios({GRID: grid(data_sets=("mnist",))})
    assert one.cells["all", "linear"].published is None  # the paper's is over four data sets


@pytest.mark.parametrize("build", [table1, table2, table3, table4, table4_ratios, table8])
def test_what_is_not_there_is_refused_and_what_is_empty_is_said(build: object) -> None:
    assert callable(build)
    with pytest.raises(ValueError, match="this table needs the study dueling/"):
        build({})
    frames = {GRID: grid(), OBJECTIVES: objectives(), AUXILIARIES: auxiliaries()}
    empty = {
        name: frame.subset(np.zeros(len(frame.trials), dtype=np.bool_), "nothing") for name, frame in frames.items()
    }
    written = build(empty).markdown()
    assert "No trials are planned." in written


def test_the_test_can_be_chosen() -> None:
    frames = {GRID: grid(), OBJECTIVES: objectives()}
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


@pytest.mark.slow
def test_latex_compiles(tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        if os.environ.get("RATESWEEP_REQUIRE_ALL") == "1":
            pytest.fail("pdflatex is missing, and RATESWEEP_REQUIRE_ALL=1 allows no skip")
        pytest.skip("pdflatex is not installed")
    frames = {GRID: grid(), ENLARGED: enlarged(), OBJECTIVES: objectives(), AUXILIARIES: auxiliaries()}
    tables = [build(frames) for build in (table1, table2, table3, table4, table4_ratios, table8)]
    for package in ("booktabs", "booktabs,xcolor"):
        body = "\n".join(table.latex() for table in tables)
        source = rf"\documentclass{{article}}\usepackage{{{package}}}\begin{{document}}{body}\end{{document}}"
        (tmp_path / "tables.tex").write_text(source)
        run = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, run.stdout[-2000:]
        assert "Missing character" not in run.stdout
        assert "Float too large" not in run.stdout


def test_tables_need_no_torch() -> None:
    heavy = ("torch", "sklearn", "ray", "plotly")
    code = f"import studies.dueling.tables, sys; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
