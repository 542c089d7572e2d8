"""Tables and figures from a store: that they are what plain pandas makes of the Parquet files, and what they need."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

CLASSIFIERS = ("logistic", "svm_linear", "svm_rbf", "knn")
BETA_2 = "objective.beta[1]"


def raw(store: Path, table: str) -> pd.DataFrame:
    """A table of a store by pandas alone."""
    return pd.concat([pd.read_parquet(part) for part in sorted((store / table).glob("*.parquet"))])


def raw_values(store: Path) -> pd.DataFrame:
    """One row a trial: what its specification says, and its measured values."""
    trials = raw(store, "trials").set_index("trial")
    values = raw(store, "metrics").pivot(index="trial", columns="quantity", values="value")
    objective = trials["specification"].map(lambda text: json.loads(text)["objective"])
    return values.join(trials[["setting", "seed"]]).assign(objective=objective)


def cells(text: str) -> dict[tuple[str, str], dict[str, str]]:
    """The lines of a table's CSV, by row and column."""
    return {(line["row"], line["column"]): line for line in csv.DictReader(io.StringIO(text))}


def printed(markdown: str, title: str) -> list[list[str]]:
    """The body of one table of a Markdown page, cell by cell, without marks and footnotes."""
    section = markdown.split(f"### {title}")[1].split("### ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[re.sub(r"\*\*| \[\w+\]", "", part).strip() for part in line.split(" | ")] for line in lines]


def fixed(value: float, digits: int) -> str:
    """A number as tables print it."""
    return f"{value:.{digits}f}".replace("-", "−")


def test_best_accuracies_are_the_maxima_of_the_stored_ones(digits_store: Path, tmp_path: Path, sweep: Any) -> None:
    ended = sweep("tables", "digits@small", "--store", digits_store, "--out", tmp_path)
    assert ended.code == 0
    values = raw_values(digits_store)
    grid = values[values["objective"].map(lambda one: one["kind"] == "beta" and len(one["beta"]) == 2)]
    assert len(grid) == 4
    assert "4 of 16 planned trials have all of these values" in ended.out
    body = printed(ended.out, "Best accuracy")
    exact = cells((tmp_path / "best_accuracy.csv").read_text())
    for line, classifier in zip(body, CLASSIFIERS, strict=True):
        for place, latent in enumerate(("z2", "z1"), start=1):
            best = grid[f"accuracy_{classifier}@{latent}"].max()
            assert line[place].removesuffix(" |") == fixed(best, 3)
            cell = exact[classifier, latent]
            assert float(cell["mean"]) == best
            assert grid.loc[cell["trials"], f"accuracy_{classifier}@{latent}"] == best


def test_objectives_are_the_means_and_deviations_of_the_stored_seeds(
    digits_store: Path, tmp_path: Path, sweep: Any
) -> None:
    ended = sweep("tables", "digits/objectives@small", "--store", digits_store, "--out", tmp_path)
    values = raw_values(digits_store)
    flat = values[values["objective"].map(lambda one: one["kind"] != "beta" or len(one["beta"]) == 1)]
    kinds = flat["objective"].map(lambda one: ("beta", tuple(one["beta"])) if one["kind"] == "beta" else one["kind"])
    labels = {
        ("beta", (1.0,)): "β = 1",
        ("beta", (0.1,)): "β = 0.1",
        "annealed": "KL annealing",
        "free-bits": "free bits",
        "target-rate": "target rate",
    }
    exact = cells((tmp_path / "objectives.csv").read_text())
    body = {line[0].removeprefix("| ").strip(): line for line in printed(ended.out, "Objectives compared")}
    assert set(body) == set(labels.values()) == {row for row, _ in exact}
    for kind, label in labels.items():
        rows = flat[[one == kind for one in kinds]]
        assert len(rows) == 3
        for place, (column, sign, digits) in enumerate(
            (("rate", 1, 2), ("distortion", 1, 2), ("elbo", -1, 2), ("psnr", 1, 2), ("accuracy_logistic@z1", 1, 3)), 1
        ):
            mean, std = sign * rows[column].mean(), rows[column].std(ddof=1)
            assert body[label][place] == f"{fixed(mean, digits)} ± {fixed(std, digits)}"
            cell = exact[label, "negative_elbo" if column == "elbo" else column]
            assert (float(cell["mean"]), float(cell["std"])) == pytest.approx((mean, std), rel=1e-12)
            assert sorted(cell["trials"].split()) == sorted(rows.index)


def test_a_study_without_tables_gets_one_of_all_its_settings(
    half_done: Path, studies: Path, tmp_path: Path, sweep: Any
) -> None:
    ended = sweep("tables", f"{studies}:half", "--store", half_done, "--out", tmp_path)
    assert ended.code == 0
    assert "own/half: 4/8 trials (4 failed)." in ended.out
    assert ended.out.count("– (0/2)") == 2 * 4  # two settings all of whose trials failed, four quantities
    values = raw_values(half_done)
    exact = cells((tmp_path / "own-half-settings.csv").read_text())
    assert len(exact) == 4 * 4
    for rate in (0.001, 0.01):
        row = f"objective=sound, training.optimiser.learning_rate={rate}"
        trials = exact[row, "elbo"]["trials"].split()
        assert len(trials) == 2
        assert float(exact[row, "elbo"]["mean"]) == pytest.approx(values.loc[trials, "elbo"].mean(), rel=1e-12)
        assert float(exact[row, "elbo"]["std"]) == pytest.approx(values.loc[trials, "elbo"].std(), rel=1e-9)


def test_a_caption_says_how_differences_were_tested(digits_store: Path, tmp_path: Path, sweep: Any) -> None:
    captions = {}
    for asked in ((), ("--correction", "holm"), ("--correction", "none", "--paired")):
        made = sweep(
            "tables", "digits/objectives@small", "--store", digits_store, "--out", tmp_path, "--format", "md", *asked
        )
        assert made.code == 0
        captions[asked] = made.out
    default, holm, paired = captions.values()
    assert "Bonferroni-corrected" in default
    assert "Holm-corrected" in holm
    assert "paired by seed" in paired
    assert "not corrected" in paired


def test_a_caption_says_which_hull_gives_the_optima(digits_store: Path, tmp_path: Path, sweep: Any) -> None:
    asked = ("--store", digits_store, "--out", tmp_path, "--format", "html")
    for hull, told in ((), False), (("--hull", "text"), False), (("--hull", "visible"), True):
        assert sweep("figures", "digits/hvae@small", *asked, *hull).code == 0
        page = (tmp_path / "rate_rate.html").read_text()
        assert ("the variant of the authors&#x27; code" in page) == told


def test_every_format_of_the_same_results_is_the_same_bytes(digits_store: Path, tmp_path: Path, sweep: Any) -> None:
    copy = shutil.copytree(digits_store, tmp_path / "copy")
    for place, store in (("first", digits_store), ("second", copy)):
        assert sweep("tables", "digits@small", "--store", store, "--out", tmp_path / place).code == 0
    assert sweep("compact", "--store", copy).code == 0
    assert sweep("tables", "digits@small", "--store", copy, "--out", tmp_path / "third").code == 0
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == sorted(
        f"{table}.{suffix}"
        for table in ("best_accuracy", "objectives", "optima")
        for suffix in ("md", "tex", "csv", "html")
    )
    for name in names:
        assert len({(tmp_path / place / name).read_bytes() for place in ("first", "second", "third")}) == 1


def test_a_reduced_twin_says_so_in_everything(digits_store: Path, tmp_path: Path, sweep: Any) -> None:
    for verb, more in (("tables", ()), ("figures", ("--format", "html")), ("report", ())):
        assert sweep(verb, "digits@small", "--store", digits_store, "--out", tmp_path, *more).code == 0
    written = [path for path in tmp_path.iterdir() if path.is_file()]
    assert len(written) == 3 * 4 + 5 + 1
    for path in written:
        assert "of 1000 steps" in path.read_text(encoding="utf-8"), path.name


def test_a_selection_says_so(digits_store: Path, tmp_path: Path, sweep: Any) -> None:
    where = f"{BETA_2}=1.0"
    ended = sweep("tables", "digits/hvae@small", "--store", digits_store, "--out", tmp_path, "--where", where)
    assert ended.code == 0
    assert f"only {where}" in ended.out.replace("\\", "")
    assert "All 4 planned trials." in ended.out


def test_an_empty_store_gives_tables_of_missing_cells(tmp_path: Path, sweep: Any) -> None:
    from results.store import ResultStore

    ResultStore.open(tmp_path / "runs", create=True)
    ended = sweep("tables", "digits", "--store", tmp_path / "runs", "--out", tmp_path / "out")
    assert ended.code == 0
    legends = re.findall(r"0 of (?:441|15) planned trials", ended.out)
    assert len(legends) == 3
    exact = cells((tmp_path / "out" / "objectives.csv").read_text())
    assert {(cell["mean"], cell["n"], cell["planned"]) for cell in exact.values()} == {("", "0", "3")}
    assert sweep("report", "digits", "--store", tmp_path / "runs", "--out", tmp_path / "out").code == 0
    assert (
        sweep("figures", "digits", "--store", tmp_path / "runs", "--out", tmp_path / "out", "--format", "html").code
        == 0
    )


def test_no_store_is_a_mistake_in_one_line(tmp_path: Path, sweep: Any) -> None:
    ended = sweep("tables", "digits", "--store", tmp_path / "runs")
    assert (ended.code, ended.out) == (2, "")
    assert re.fullmatch(r"sweep: error: no store at .*\n", ended.err)


def test_a_torn_file_is_named_and_skipped(digits_store: Path, tmp_path: Path, sweep: Any) -> None:
    store = shutil.copytree(digits_store, tmp_path / "runs")
    torn = sorted((store / "metrics").glob("*.parquet"))[0]
    torn.write_bytes(torn.read_bytes()[:200])
    for verb in ("tables", "report"):
        ended = sweep(verb, "digits@small", "--store", store, "--out", tmp_path / "out")
        assert ended.code == 0
        assert f"metrics/{torn.name} was skipped: " in ended.err
    assert torn.name in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    exact = cells((tmp_path / "out" / "objectives.csv").read_text())
    shown = {trial for cell in exact.values() for trial in cell["trials"].split()}
    best = cells((tmp_path / "out" / "best_accuracy.csv").read_text())
    lost = set(pd.read_parquet(next((digits_store / "metrics").glob(torn.name)))["trial"])
    assert not lost & (shown | {cell["trials"] for cell in best.values()})


def test_a_study_and_its_twin_are_asked_for_one_at_a_time(digits_store: Path, sweep: Any) -> None:
    ended = sweep("tables", "digits/hvae", "digits@small", "--store", digits_store)
    assert ended.code == 2
    assert "digits/hvae and digits/hvae@small" in ended.err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("md,pdf", "no format 'pdf'; known: csv, html, latex, md"),
        ("latx", "no format 'latx' of md, latex, csv, html; did you mean latex?"),
        (",", "no format ''; known:"),
    ],
)
def test_an_unknown_format_is_refused_with_the_known(given: str, told: str, digits_store: Path, sweep: Any) -> None:
    ended = sweep("tables", "digits", "--store", digits_store, "--format", given)
    assert ended.code == 2
    assert told in ended.err


def test_only_the_formats_asked_for_are_written(digits_store: Path, tmp_path: Path, sweep: Any) -> None:
    ended = sweep("tables", "digits@small", "--store", digits_store, "--out", tmp_path, "--format", "CSV")
    assert (ended.code, ended.out) == (0, "")
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv"}


def test_without_a_browser_one_line_says_what_was_not_drawn(
    digits_store: Path, tmp_path: Path, sweep: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    out = tmp_path / "out"
    ended = sweep("figures", "digits/objectives@small", "--store", digits_store, "--out", out)
    assert ended.code == 0
    assert ended.out == f"{out / 'rate_distortion.html'}\n"
    assert "only HTML was written: PNG, PDF and SVG need Chromium" in ended.err
    asked = sweep("figures", "digits/objectives@small", "--store", digits_store, "--out", out, "--format", "html,png")
    assert asked.code == 2
    assert "PNG, PDF and SVG need Chromium" in asked.err


PAPER = """
from own import sound, extended
from studies.paper import Output, Paper

def both(frames):
    from results.table import Cell, Heading, Table
    trials = tuple(trial for frame in frames.values() for trial in frame.trials["trial"])
    cell = Cell(mean=float(len(trials)), n=1, planned=1, trials=trials[:1])
    return Table(
        name="both", title="Both", caption="Trials.", columns=(Heading(name="trials"),), rows=(Heading(name="all"),),
        cells={("all", "trials"): cell}, coverage=(0, 0),
    )

def number(frames):
    return 7

def output(build):
    return Output(name="both", title="Both", studies=("own/sound", "own/extended"), build=build)

def paper(**outputs):
    return Paper(name="own", title="My own", reference="", studies=(sound, extended), **outputs)

good = paper(tables=(output(":both"),))
wrong = paper(tables=(output(":number"),))
absent = paper(tables=(output(":bothh"),))
elsewhere = paper(tables=(output("no.such:both"),))
renamed = paper(
    tables=(Output(name="other", title="Other", studies=("own/sound",), build=":both"),)
)
beside = paper(
    tables=(Output(name="both", title="Both", studies=("own/sound",), also=("own/extended",), build=":both"),)
)
clash = paper(tables=(output(":both"),), figures=(output(":both"),))
"""


@pytest.fixture(scope="module")
def paper(studies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's file with papers of the two studies of one grid: good, and some that cannot be built."""
    path = tmp_path_factory.mktemp("paper") / "mine.py"
    load = (
        f"import sys\nfrom studies.user_file import load_file\nsys.modules['own'] = load_file({str(studies)!r}).module"
    )
    path.write_text(f"{load}\n{PAPER}\ndel sys.modules['own']\n")
    return path


def test_a_paper_s_table_is_made_when_all_its_studies_are_asked_for(
    paper: Path, half_done: Path, tmp_path: Path, sweep: Any
) -> None:
    whole = sweep("tables", f"{paper}:good", "--store", half_done, "--out", tmp_path, "--format", "md,csv")
    assert whole.code == 0
    assert [path.stem for path in sorted(tmp_path.glob("*.csv"))] == ["both"]
    assert cells((tmp_path / "both.csv").read_text())["all", "trials"]["mean"] == "8.0"


def test_what_needs_other_studies_is_left_out_aloud(paper: Path, half_done: Path) -> None:
    from results.store import ResultStore
    from studies.catalogue import find
    from sweep.outputs import build_tables, left_out, read_results

    one = [entry for entry in find([f"{paper}:good"]) if entry.study.name == "own/sound"]
    results = read_results(one, ResultStore.open(half_done))
    assert left_out(results, "tables") == ["both is left out: it also draws on own/extended"]
    assert [table.name for table in build_tables(results)] == ["own-sound-settings"]


def test_further_studies_are_drawn_on_where_they_are_asked_for_too(paper: Path, half_done: Path) -> None:
    from results.store import ResultStore
    from studies.catalogue import find
    from sweep.outputs import build_tables, left_out, read_results

    both = find([f"{paper}:beside"])
    sound, extended = ([entry] for entry in both)
    made = {}
    for asked in (both, sound, extended):
        results = read_results(asked, ResultStore.open(half_done))
        assert left_out(results, "tables") == []
        made[tuple(results.frames)] = {table.name: table for table in build_tables(results)}
    assert made["own/sound", "own/extended"]["both"].cells["all", "trials"].mean == 8
    assert made["own/sound",]["both"].cells["all", "trials"].mean == 4
    assert [list(tables) for tables in made.values()] == [["both"], ["both"], ["own-extended-settings"]]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("wrong", r"both: .*:number gives a int, not a Table"),
        ("absent", r"both is built by .*:bothh, which is not there; did you mean both"),
        ("elsewhere", r"both is built by no.such:both, which is not there: No module named 'no'"),
        ("renamed", r"other: .*:both calls it 'both': give both one name"),
        ("clash", r"own: two outputs are called both"),
    ],
)
def test_a_paper_that_cannot_be_built_is_told_in_one_line(
    name: str, told: str, paper: Path, half_done: Path, tmp_path: Path, sweep: Any
) -> None:
    ended = sweep("tables", f"{paper}:{name}", "--store", half_done, "--out", tmp_path)
    assert ended.code == 2
    assert re.fullmatch(rf"sweep: error: .*{told}.*\n", ended.err)


def test_outputs_go_to_a_folder_of_their_name(digits_store: Path, tmp_path: Path, sweep: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for names in (("digits@small",), ("digits/objectives@small",), ("digits/hvae@small", "digits/objectives@small")):
        assert sweep("tables", *names, "--store", digits_store, "--format", "csv").code == 0
    folders = sorted(str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("objectives.csv"))
    assert folders == ["out/digits/objectives@small", "out/digits@small"]


def loaded(*arguments: str) -> set[str]:
    """The heavy packages that a command imports, in a process of its own."""
    program = (
        "import sys\nfrom sweep.cli.main import main\ncode = main(sys.argv[1:])\nassert code == 0, code\n"
        "heavy = ('torch', 'ray', 'sklearn', 'plotly', 'pandas', 'kaleido', 'jinja2')\n"
        "print('loaded:', *(name for name in heavy if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    ("verb", "needed"),
    [
        (("tables", "digits@small"), {"pandas"}),
        (("report", "digits@small"), {"pandas", "plotly", "jinja2"}),
        (("tables", "--help"), set()),
    ],
)
def test_outputs_import_no_more_than_they_need(
    verb: tuple[str, ...], needed: set[str], half_done: Path, tmp_path: Path, store_arguments: Callable[..., list[str]]
) -> None:
    assert loaded(*verb, *store_arguments(verb, half_done, tmp_path)) <= needed


@pytest.fixture
def store_arguments() -> Callable[..., list[str]]:
    """--store and --out, where a verb does something."""
    return lambda verb, store, out: [] if "--help" in verb else ["--store", str(store), "--out", str(out)]
