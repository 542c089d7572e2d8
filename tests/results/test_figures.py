"""Figures: what they say of their trials, HTML that needs no network, pictures with and without Chromium."""

from __future__ import annotations

import json
import re
from pathlib import Path

import plotly.graph_objects as go
import pytest

from results import static_images
from results.figures import Figure, write_figures
from results.static_images import StaticImageError
from results.style import empty, house, tick_step


def figure(name: str = "rates", **changes: object) -> Figure:
    plot = house(go.Figure(go.Scatter(x=[1, 2], y=[3, 5], text=["a</script>b", "c"])), height=300)
    settings = {"title": "Rates < here", "caption": "Two points & a line.", "plot": plot, "coverage": (2, 3)} | changes
    return Figure(name=name, **settings)


@pytest.fixture
def no_chromium(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "nowhere"))


def drawn(page: str) -> list[dict]:
    """The figures that a page hands to plotly.js, decoded."""
    found = re.findall(r'Plotly\.newPlot\("[^"]+",(\{.*?\})\);</script>', page)
    return [json.loads(text) for text in found]


def test_a_figure_says_how_many_trials_it_has_and_how_it_is_reduced() -> None:
    assert figure().remarks == ("2 of 3 trials",)
    assert figure(coverage=(0, 0)).remarks == ("no trial matches this selection",)
    remarks = figure(reduced="4 × 4 of 21 × 21", notes=("not drawn: 1 missing",)).remarks
    assert remarks == ("2 of 3 trials", "reduced: 4 × 4 of 21 × 21", "not drawn: 1 missing")
    fragment = figure(reduced="1 < 2").html()
    assert "2 of 3 trials" in fragment
    assert "reduced: 1 &lt; 2" in fragment


def test_a_still_picture_carries_its_remarks_and_leaves_the_plot_alone() -> None:
    shown = figure(reduced="half")
    still = shown.still()
    assert [note.text for note in still.layout.annotations] == ["2 of 3 trials · reduced: half"]
    assert still.layout.height > shown.height
    assert not shown.plot.layout.annotations


def test_the_remarks_of_a_still_picture_begin_at_its_left_and_are_never_cut_off() -> None:
    shown = figure(notes=tuple(f"without the trial {number}, which has failed" for number in range(20)))
    shown.plot.update_layout(margin_l=400)
    (note,) = shown.still().layout.annotations
    lines = note.text.split("<br>")
    assert len(lines) > 3
    assert max(map(len, lines)) <= 160
    assert " ".join(lines) == " · ".join(shown.remarks)
    assert note.xshift == 64 - 400
    assert shown.still().layout.height - shown.height == 30 + 15 * (len(lines) - 1)
    assert shown.still().layout.margin.b - 56 == 30 + 15 * (len(lines) - 1)


@pytest.mark.parametrize(("coverage", "named"), [((4, 3), "4 of 3"), ((-1, 3), "-1 of 3")])
def test_coverage_is_a_part_of_what_is_planned(coverage: tuple[int, int], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        figure(coverage=coverage)


def test_a_name_is_a_file_stem() -> None:
    with pytest.raises(ValueError, match=r"digits/rates"):
        figure("digits/rates")


def test_html_is_the_same_every_time_and_cannot_end_its_script() -> None:
    assert figure().html() == figure().html()
    (plot,) = drawn(figure().html())
    assert plot["data"][0]["text"] == ["a</script>b", "c"]
    assert "Rates &lt; here" in figure().html()


def test_html_neither_loads_nor_offers_to_send_anything() -> None:
    page = figure().html(full=True)
    assert page.startswith("<!DOCTYPE html>")
    markup = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(src|href)=", markup)
    assert "url(" not in markup
    (plot,) = drawn(page)
    assert plot["config"]["showSendToCloud"] is False
    assert plot["config"]["plotlyServerURL"] == ""


def test_a_plot_is_as_wide_as_its_page() -> None:
    (plot,) = drawn(figure().html())
    assert "width" not in plot["layout"]
    assert plot["config"]["responsive"] is True


def test_html_alone_needs_no_browser(tmp_path: Path, no_chromium: None) -> None:
    (path,) = figure().write(tmp_path / "new")
    assert path == tmp_path / "new" / "rates.html"
    assert path.read_text(encoding="utf-8") == figure().html(full=True)
    assert [entry.name for entry in path.parent.iterdir()] == ["rates.html"]


def test_without_chromium_html_is_written_and_one_line_says_what_is_missing(tmp_path: Path, no_chromium: None) -> None:
    written = write_figures([figure("a"), figure("b")], tmp_path)
    assert written.paths == (tmp_path / "a.html", tmp_path / "b.html")
    assert "Chromium" in written.message
    assert "nowhere" in written.message
    assert "\n" not in written.message


def test_a_picture_asked_for_by_name_needs_chromium(tmp_path: Path, no_chromium: None) -> None:
    with pytest.raises(StaticImageError, match=r"need Chromium.*install one") as refused:
        write_figures([figure()], tmp_path, ("html", "png"))
    assert "\n" not in str(refused.value)
    assert (tmp_path / "rates.html").exists()


def test_without_chromium_on_path_the_message_names_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setattr("choreographer.browsers.chromium.Chromium.find_browser", lambda **_: None)
    assert static_images.find_chromium() is None
    assert "none was found on PATH" in static_images.missing_chromium()


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no figure format 'gif'; known: html, png, pdf, svg"):
        write_figures([figure()], tmp_path / "new", ("html", "gif"))
    assert not (tmp_path / "new").exists()


def test_a_browser_that_dies_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "chromium"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(fake))
    with pytest.raises(StaticImageError, match=rf"{fake} did not start or died: BrowserFailedError"):
        write_figures([figure()], tmp_path, ("svg",))


def test_an_empty_figure_says_why() -> None:
    assert empty("nothing yet").layout.annotations[0].text == "nothing yet"


@pytest.mark.parametrize(
    ("largest", "step"), [(10.0, 2.0), (9.0, 2.0), (23.0, 5.0), (51.0, 20.0), (0.4, 0.1), (5.0, 1.0), (0.0, 1.0)]
)
def test_ticks_are_round(largest: float, step: float) -> None:
    assert tick_step(largest) == pytest.approx(step)


@pytest.mark.slow
def test_one_call_draws_pictures_of_every_format(tmp_path: Path, chromium: str) -> None:
    written = write_figures([figure("a"), figure("b")], tmp_path, ("png", "pdf", "svg"))
    assert [path.name for path in written.paths] == ["a.png", "a.pdf", "a.svg", "b.png", "b.pdf", "b.svg"]
    png, pdf, svg = (path.read_bytes() for path in written.paths[:3])
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20]) == 2 * 1120  # the header's width, at twice the density
    assert pdf.startswith(b"%PDF-")
    assert b"2 of 3 trials" in svg
