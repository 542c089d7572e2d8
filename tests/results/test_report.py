"""The report: what it tells, that it tells it the same way twice, and that it opens and draws in a real browser."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from results.figures import Figure
from results.files import StoreError
from results.report import FailureGroup, Report, StudyProgress, render, write_report
from results.style import house
from results.table import Cell, Heading, Table

OUT = Path(__file__).parents[2] / "out"


def table(name: str = "best") -> Table:
    cell = Cell(mean=0.9371, n=1, planned=1, digits=3, trials=("0f",))
    headings = {"rows": (Heading(name="knn", label="5-NN"),), "columns": (Heading(name="z2"),)}
    about = {"title": "Best accuracy", "caption": "Of all.", "coverage": (441, 441)}
    return Table(name=name, cells={("knn", "z2"): cell}, **about, **headings)


def figure(name: str, *traces: go.Scatter | go.Surface | go.Heatmap) -> Figure:
    plot = house(go.Figure(traces or (go.Scatter(y=[1, 2]),)), height=320)
    return Figure(name=name, title=f"Figure {name}", caption="A caption.", plot=plot, coverage=(440, 441))


def report(**changes: Any) -> Report:
    hvae = StudyProgress(
        name="digits/hvae",
        question="Which allocation is best?",
        counts={"missing": 6, "completed": 430, "out_of_memory": 3, "diverged": 2},
        axes=("objective.beta[1]", "objective.beta[0]"),
        seeds=1,
    )
    failure = FailureGroup(
        study="digits/hvae",
        status="diverged",
        reason="loss <not finite>",
        count=2,
        region="objective.beta[0] ≥ 7.94",
        example="0123456789abcdef",
    )
    whole = Report(
        title="Digits & rates",
        studies=(hvae,),
        failures=(failure,),
        tables=(table(),),
        figures=(
            figure("lines"),
            figure("heights", go.Surface(z=[[1, 2], [3, 4]])),
            figure("heat", go.Heatmap(z=[[1]])),
        ),
        provenance={"Code": "a1b2c3d", "Packages": ("torch 2.13", "numpy 2.1"), "Hosts": ()},
        generated=datetime(2026, 5, 1, 12, 30, tzinfo=UTC),
    )
    return dataclasses.replace(whole, **changes)


class Outline(HTMLParser):
    """Ids, links and whatever a page would fetch; checks that elements are nested rightly."""

    VOID = frozenset({"meta", "link", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if "id" in given:
            self.ids.append(str(given["id"]))
        if tag == "a":
            self.links.append(str(given["href"]))
        self.fetched += [str(given[name]) for name in ("src", "data", "srcset") if name in given]
        if tag == "link":
            self.fetched.append(str(given["href"]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def text_of(page: str) -> str:
    """What a reader sees: no scripts, styles or tags."""
    bare = re.sub(r"<(script|style)>.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", bare).split())


def test_a_report_tells_what_was_asked_and_how_much_is_done() -> None:
    text = text_of(render(report()))
    assert "Which allocation is best?" in text
    assert "432 of 441 trials finished" in text
    assert re.search(r"430 completed.*2 diverged.*3 out of memory.*6 missing", text)
    assert "objective.beta[1], objective.beta[0]; 1 seed per setting" in text
    assert "2026-05-01 12:30 UTC" in text


def test_progress_counts_divergence_as_finished_and_failures_not() -> None:
    progress = report().studies[0]
    assert (progress.planned, progress.finished) == (441, 432)
    assert [kind for _, _, kind in progress.parts] == ["completed", "diverged", "failed", "missing"]


def test_the_progress_bar_is_as_wide_as_its_parts() -> None:
    widths = [float(width) for width in re.findall(r'<span class="is-\w+" style="width:([\d.]+)%"', render(report()))]
    assert sum(widths) == pytest.approx(100, abs=1e-3)
    assert widths[0] == pytest.approx(100 * 430 / 441, abs=1e-3)


def test_failures_tables_figures_and_provenance_are_there() -> None:
    text = text_of(render(report()))
    for told in ("loss &lt;not finite&gt;", "objective.beta[0] ≥ 7.94", "0123456789abcdef", "Best accuracy", "0.937"):
        assert told in text
    assert "Figure heights" in text
    assert "440 of 441 trials" in text
    assert "torch 2.13 numpy 2.1" in text
    assert "Hosts none recorded" in text
    assert "Digits &amp; rates" in text


def test_a_reduced_study_is_marked_at_the_top() -> None:
    small = dataclasses.replace(report().studies[0], name="digits/hvae@small", reduced="4 × 4 of 21 × 21")
    text = text_of(render(report(studies=(small,))))
    assert text.index("Reduced. digits/hvae@small: 4 × 4 of 21 × 21") < text.index("What was asked")


def test_an_empty_report_says_what_is_not_there() -> None:
    nothing = StudyProgress(name="digits/hvae", question="Why?", counts={})
    text = text_of(render(report(studies=(nothing,), tables=(), figures=(), failures=(), provenance={})))
    for told in ("0 of 0 trials finished", "No trial has failed", "no tables", "no figures"):
        assert told in text


def test_the_page_is_self_contained_and_its_links_lead_somewhere() -> None:
    page = render(report())
    outline = Outline(page)
    assert outline.fetched == ["data:,"]
    assert len(set(outline.ids)) == len(outline.ids)
    assert all(link.startswith("#") and link[1:] in outline.ids for link in outline.links)
    assert page.count("* plotly.js v") == 1
    assert 4e6 < len(page.encode()) < 7e6


def test_equal_reports_give_equal_text() -> None:
    assert render(report()) == render(report())


def test_two_figures_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="each figure once, not lines twice"):
        render(report(figures=(figure("lines"), figure("lines"))))


def test_a_report_appears_whole(tmp_path: Path) -> None:
    path = write_report(tmp_path / "new" / "report.html", report())
    assert path.read_text(encoding="utf-8") == render(report())
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        write_report(tmp_path / "file" / "report.html", report())


@pytest.mark.slow
def test_a_report_draws_everything_in_a_browser(tmp_path: Path, browser: Any, hvae: Any, objectives: Any) -> None:
    from studies.digits import figures, tables

    frames = {"digits/hvae": hvae(missing=5), "digits/objectives": objectives()}
    drawn = tuple(getattr(figures, name)(frames) for name in figures.__all__)
    shown = (tables.best_accuracy(frames), tables.objectives(frames))
    path = write_report(tmp_path / "report.html", report(figures=drawn, tables=shown))
    browser.get(path.as_uri())

    # Everything has drawn by the time that the page has loaded: marks of SVG, and traces in each WebGL scene.
    state = browser.execute_script(
        "return [...document.querySelectorAll('.js-plotly-plot')].map(plot => ({"
        "id: plot.id, panels: plot.querySelectorAll('svg.main-svg').length,"
        "marks: plot.querySelectorAll('.trace, .hm image, .heatmaplayer image, .imagelayer image').length,"
        "scenes: plot.querySelectorAll('.gl-container canvas').length,"
        "threads: Object.keys(plot._fullLayout.scene?._scene?.traces ?? {}).length}))"
    )
    assert [plot["id"] for plot in state] == [f"plot-{figure.name}" for figure in drawn]
    for plot in state:
        assert plot["panels"] > 0, plot
        assert plot["marks"] > 0, plot
    assert [(plot["id"], plot["threads"]) for plot in state if plot["scenes"]] == [("plot-surface", 4)]

    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    requests = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    addresses = {
        message["params"]["request"]["url"].split(":", 1)[0]
        for message in requests
        if message["method"] == "Network.requestWillBeSent"
    }
    assert addresses <= {"file", "data", "blob"}

    OUT.mkdir(exist_ok=True)
    height = browser.execute_script("return document.documentElement.scrollHeight")
    browser.set_window_size(1280, height)
    assert browser.save_screenshot(str(OUT / "report.png"))
    assert (OUT / "report.png").stat().st_size > 100_000
