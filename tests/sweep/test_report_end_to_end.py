"""The report of real results, as a user makes it: from a launch to one file, opened in a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from selenium.webdriver.support.ui import WebDriverWait

from results.store import ResultStore

OUT = Path(__file__).parents[2] / "out"
TABLES = ("best_accuracy", "objectives", "optima")
FIGURES = ("rate_rate", "against_total_rate", "surface", "reconstructions", "rate_distortion")


def text_of(page: str) -> str:
    """What a reader sees: no scripts, styles or tags."""
    bare = re.sub(r"<(script|style)>.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", bare).split())


def raw(store: Path, table: str) -> pd.DataFrame:
    """A table of a store by pandas alone."""
    return pd.concat([pd.read_parquet(part) for part in sorted((store / table).glob("*.parquet"))])


def test_a_report_of_a_paper_has_all_of_it(digits_store: Path, tmp_path: Path, sweep: Any) -> None:
    ended = sweep("report", "digits@small", "--store", digits_store, "--out", tmp_path)
    assert ended.code == 0
    path = Path(ended.out.splitlines()[-1])
    assert path == tmp_path / "report.html"
    page = path.read_text(encoding="utf-8")
    text = text_of(page)
    assert "Rate and what it buys, on handwritten digits" in text
    assert "4 of 16 trials finished" in text
    assert "15 of 15 trials finished" in text
    assert "Reduced. digits/hvae@small: 4 × 4 of 21 × 21 layer weights, 200 of 1000 steps" in text
    assert "No trial has failed or diverged" in text
    assert re.findall(r'<figure class="results-table[^"]*" id="table-(\w+)"', page) == [
        "best_accuracy",
        "optima",
        "objectives",
    ]
    assert tuple(re.findall(r'id="plot-(\w+)"', page)) == FIGURES

    trials = raw(digits_store, "trials")
    assert f"{trials['code'].iloc[0]} (19 trials)" in text
    assert f"Hosts {trials['host'].iloc[0]} (19 trials)" in text
    hours = (trials["train_seconds"].sum() + trials["evaluate_seconds"].sum()) / 3600
    assert f"{hours:.3g} CPU hours" in text
    assert f"torch {json.loads(trials['packages'].iloc[0])['torch']}" in text
    assert str(digits_store) in text
    assert text.count(" UTC on ") == 2  # launches


def test_failures_stand_in_the_report_by_reason_and_region(
    half_done: Path, studies: Path, tmp_path: Path, sweep: Any
) -> None:
    ended = sweep("report", f"{studies}:half", "--store", half_done, "--out", tmp_path / "half.html")
    assert ended.code == 0
    text = text_of((tmp_path / "half.html").read_text(encoding="utf-8"))
    example = raw(half_done, "trials").query("status == 'error'")["trial"]
    found = re.search(r"own/half 4 error (RuntimeError: .*?) objective = faulty (\w{16}) ", text)
    assert found is not None
    assert found[1] == raw(half_done, "trials").query("status == 'error'")["reason"].iloc[0]
    assert found[2] in set(example)
    assert "4 of 8 trials finished" in text
    assert "4 completed 4 error" in text
    assert "not drawn: 4 error" in text


def test_divergence_is_told_as_a_result(store: Path, studies: Path, tmp_path: Path, sweep: Any) -> None:
    assert sweep("launch", f"{studies}:exploding", "--store", store, "--executor", "local").code == 0
    sweep("report", f"{studies}:exploding", "--store", store, "--out", tmp_path / "x.html")
    text = text_of((tmp_path / "x.html").read_text(encoding="utf-8"))
    assert "2 of 2 trials finished" in text
    assert "1 completed 1 diverged" in text
    assert "own/exploding 1 diverged the loss was not finite training.optimiser.learning_rate = 1e+30" in text


def test_what_runs_now_is_told(store: Path, studies: Path, tmp_path: Path, sweep: Any) -> None:
    failed = raw(store, "trials").query("status == 'error'")["trial"].tolist()
    opened = ResultStore.open(store)
    opened.mark_inflight("0a", {"launch": "now", "pack": failed[:3]})
    opened.mark_inflight("0b", {"launch": "dead", "pack": failed[3:]})
    opened.beat("now")
    sweep("report", f"{studies}:half", "--store", store, "--out", tmp_path)
    assert "4 completed 1 error 3 running" in text_of((tmp_path / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def whole_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of both reduced studies, whole."""
    from sweep.cli.main import main

    store = tmp_path_factory.mktemp("whole") / "runs"
    assert main(["launch", "digits@small", "--store", str(store), "--executor", "local"]) == 0
    return store


@pytest.mark.slow
def test_the_report_opens_and_draws_in_a_browser(
    whole_store: Path, half_done: Path, studies: Path, tmp_path: Path, sweep: Any, browser: Any
) -> None:
    OUT.mkdir(exist_ok=True)
    reports = {
        "report-digits-small": (("digits@small", "--store", whole_store), FIGURES),
        "report-own-study": (
            (f"{studies}:half", "--store", half_done),
            ("own-half-rate-distortion", "own-half-against-objective", "own-half-against-learning_rate"),
        ),
    }
    for name, (arguments, figures) in reports.items():
        path = tmp_path / f"{name}.html"
        assert sweep("report", *arguments, "--out", path).code == 0
        browser.set_window_size(1280, 1000)
        browser.get(path.as_uri())
        drawn = f"return document.querySelectorAll('.js-plotly-plot').length == {len(figures)}"
        WebDriverWait(browser, 60).until(lambda page, drawn=drawn: page.execute_script(drawn))
        state = browser.execute_script(
            "return [...document.querySelectorAll('.js-plotly-plot')].map(plot => [plot.id.slice(5), "
            "plot.querySelectorAll('.trace, .hm image, .heatmaplayer image, .imagelayer image').length])"
        )
        assert tuple(figure for figure, _ in state) == figures
        assert all(marks > 0 for _, marks in state), state
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
        browser.set_window_size(1280, browser.execute_script("return document.documentElement.scrollHeight"))
        assert browser.save_screenshot(str(OUT / f"{name}.png"))


@pytest.mark.slow
def test_tables_read_as_pages_in_a_browser(whole_store: Path, tmp_path: Path, sweep: Any, browser: Any) -> None:
    OUT.mkdir(exist_ok=True)
    assert sweep("tables", "digits@small", "--store", whole_store, "--out", tmp_path, "--format", "html").code == 0
    for name in TABLES:
        browser.get((tmp_path / f"{name}.html").as_uri())
        wide = browser.execute_script("const t = document.querySelector('table'); return [t.scrollWidth, innerWidth]")
        assert wide[0] <= wide[1]
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
        browser.save_screenshot(str(OUT / f"table-{name}.png"))


@pytest.mark.slow
def test_still_pictures_of_every_figure(whole_store: Path, tmp_path: Path, sweep: Any, chromium: str) -> None:
    ended = sweep("figures", "digits@small", "--store", whole_store, "--out", tmp_path)
    assert (ended.code, ended.err) == (0, "")
    heads = {"html": b"<!DOCTYPE html>", "png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<svg"}
    for name in FIGURES:
        for suffix, head in heads.items():
            assert (tmp_path / f"{name}.{suffix}").read_bytes().startswith(head)


@pytest.mark.slow
def test_all_tables_compile(whole_store: Path, half_done: Path, studies: Path, tmp_path: Path, sweep: Any) -> None:
    if shutil.which("pdflatex") is None:
        if os.environ.get("RATESWEEP_REQUIRE_ALL") == "1":
            pytest.fail("pdflatex is missing, and RATESWEEP_REQUIRE_ALL=1 allows no skip")
        pytest.skip("pdflatex is not installed")
    for names, store in (("digits@small", whole_store), (f"{studies}:half", half_done), ("digits", half_done)):
        out = tmp_path / Path(names).stem.replace(":", "-")
        assert sweep("tables", names, "--store", store, "--out", out, "--format", "latex").code == 0
        inputs = "\n".join(f"\\input{{{path.name}}}" for path in sorted(out.glob("*.tex")))
        source = (
            f"\\documentclass{{article}}\n\\usepackage{{booktabs}}\n\\begin{{document}}\n{inputs}\n\\end{{document}}\n"
        )
        (out / "all.tex").write_text(source)
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
        done = subprocess.run(command, cwd=out, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout[-2000:]
        assert "Overfull" not in done.stdout
    OUT.mkdir(exist_ok=True)
    shutil.copy(tmp_path / "digits@small" / "all.pdf", OUT / "tables.pdf")


@pytest.mark.slow
def test_everything_of_a_finished_study_is_made_in_ten_seconds(whole_store: Path, tmp_path: Path, sweep: Any) -> None:
    begun = time.perf_counter()
    for verb, more in (("tables", ()), ("figures", ("--format", "html")), ("report", ())):
        assert sweep(verb, "digits@small", "--store", whole_store, "--out", tmp_path, *more).code == 0
    assert time.perf_counter() - begun < 10
