"""Tables: what is shown of every cell, and that it can be read back."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from results.frame import Frame
from results.table import Cell, Heading, NoSuchCell, Published, Table, coverage, describe_status, summarise
from results.table_formats import CSV_COLUMNS, lay_out, number
from results.table_latex import escape

AWKWARD = r"50 % of A&B_c #1 {x} ~ ^ \ $ <β₂> | * [a] “q” é − ±"

FULL = Cell(mean=1 / 3, std=0.1 + 0.2, n=3, planned=3, mark="bold", trials=("t1", "t2", "t3"), p_value=0.5, digits=3)
PARTIAL = Cell(mean=-104.256, std=1.0, n=2, planned=3, trials=("t4", "t5"), note="not tested")
SINGLE = Cell(mean=2.5, n=1, planned=1, trials=("t6",), note=AWKWARD)
MISSING = Cell(planned=3)


def table(**changes: object) -> Table:
    fields: dict[str, object] = {
        "name": "objectives",
        "title": "Objectives & β",
        "caption": "Mean ± standard deviation.",
        "stub": "objective",
        "columns": (
            Heading(name="rate", unit="nats"),
            Heading(name="accuracy@z1", label="accuracy of z₁", unit="fraction", goal="maximise"),
        ),
        "rows": (Heading(name="b1", label="β = 1"), Heading(name="kl", label=AWKWARD)),
        "cells": {
            ("b1", "rate"): FULL,
            ("b1", "accuracy@z1"): PARTIAL,
            ("kl", "rate"): MISSING,
            ("kl", "accuracy@z1"): SINGLE,
        },
        "coverage": (6, 10),
        "notes": ("1 diverged.",),
    }
    return Table(**(fields | changes))  # type: ignore[arg-type]


EMPTY = table(rows=(), cells={}, coverage=(0, 0), notes=())


def test_csv_is_read_back_exactly() -> None:
    text = table(reduced="200 steps").csv()
    frame = pd.read_csv(io.StringIO(text), dtype={"mean": str, "std": str})  # Python's own parser is exact
    assert tuple(frame.columns) == CSV_COLUMNS
    assert list(zip(frame["row"], frame["column"], strict=True)) == [
        ("b1", "rate"),
        ("b1", "accuracy@z1"),
        ("kl", "rate"),
        ("kl", "accuracy@z1"),
    ]
    assert float(frame["mean"].iloc[0]) == 1 / 3
    assert float(frame["std"].iloc[0]) == 0.1 + 0.2
    assert frame["mean"].isna().tolist() == [False, False, True, False]
    assert frame["std"].isna().tolist() == [False, False, True, True]
    assert frame["n"].tolist() == [3, 2, 0, 1]
    assert frame["planned"].tolist() == [3, 3, 3, 1]
    assert frame["mark"].tolist() == ["bold", "plain", "plain", "plain"]
    assert frame["trials"].fillna("").tolist() == ["t1 t2 t3", "t4 t5", "", "t6"]
    assert frame["unit"].tolist() == ["nats", "fraction"] * 2
    assert frame["note"].iloc[3] == AWKWARD
    assert frame["reduced"].tolist() == ["200 steps"] * 4
    assert "\r" not in text


def test_every_format_is_a_function_of_the_table() -> None:
    for one, two in ((table(), table()), (EMPTY, EMPTY)):
        assert one.csv() == two.csv()
        assert one.markdown() == two.markdown()
        assert one.latex() == two.latex()
        assert one.html() == two.html()


def test_markdown_shows_missing_and_partial_cells() -> None:
    lines = table().markdown().splitlines()
    header, _, first, second = (line for line in lines if line.startswith("|"))
    assert [text.strip() for text in header.strip("|").split("|")] == ["objective", "rate (nats)", "accuracy of z₁ ↑"]
    assert [text.strip() for text in first.strip("|").split("|")] == [
        "β = 1",
        "**0.333 ± 0.300**",
        "−104.26 ± 1.00 (2/3 seeds) [a]",
    ]
    assert second.replace("\\|", "").count("|") == 4  # the bar in the label is escaped
    assert "– (0/3)" in second
    assert "2.50 [b]" in second
    assert len({len(line) for line in (header, first, second)}) == 1
    assert "- [a] not tested" in lines
    assert "- 1 diverged." in lines
    assert "6 of 10 planned trials have all of these values." in table().markdown()


class Cells(HTMLParser):
    """The attributes and texts of all data cells; every tag that is opened must be closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[tuple[dict[str, str | None], str]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        if tag == "td":
            self.cells.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open:
            attributes, text = self.cells[-1]
            self.cells[-1] = attributes, text + data


def test_html_carries_the_trials_behind_each_number() -> None:
    cells = Cells(table().html()).cells
    assert [attributes["data-trials"] for attributes, _ in cells] == ["t1 t2 t3", "t4 t5", "", "t6"]
    assert [attributes["class"] for attributes, _ in cells] == ["value bold", "value partial", "value missing", "value"]
    assert [text for _, text in cells] == ["0.333 ± 0.300", "−104.26 ± 1.00 (2/3 seeds)a", "– (0/3)", "2.50b"]
    assert cells[0][0]["title"] == "mean 0.333333; std 0.3; n = 3 of 3; p = 0.5"
    assert cells[3][0]["title"] == f"mean 2.5; n = 1 of 1; {AWKWARD}"
    assert "<β₂>" not in table().html()
    assert Cells(EMPTY.html()).cells[0][1] == "No rows: there is nothing to show."


def test_latex_escapes() -> None:
    assert escape("β₂ & 5 % of #1_a") == r"$\beta _{2}$ \& 5 \% of \#1\_a"
    assert escape("−ELBO ± ∞ ↓") == r"$-$ELBO $\pm$ $\infty$ $\downarrow$"
    assert escape("λ Γ Β α²") == r"$\lambda$ $\Gamma$ $\mathrm{B}$ $\alpha ^{2}$"
    assert escape("10⁻¹² z₁²") == r"10$^{- 1 2}$ z$_{1} {}^{2}$"
    assert escape("a\\b{c}~^$") == r"a\textbackslash{}b\{c\}\textasciitilde{}\textasciicircum{}\$"
    latex = table().latex()
    assert r"\toprule" in latex
    assert r"\textbf{0.333 $\pm$ 0.300} & $-$104.26 $\pm$ 1.00 (2/3 seeds)\textsuperscript{a} \\" in latex
    assert "-- (0/3)" in latex
    assert "% b1:rate = t1 t2 t3" in latex
    wide = {"columns": tuple(Heading(name=f"c{place}") for place in range(6)), "rows": (Heading(name="kl"),)}
    latex = table(**wide, cells={("kl", head.name): PARTIAL for head in wide["columns"]}).latex()
    assert r"\shortstack[r]{$-$104.26 \\ $\pm$ 1.00 \\ (2/3 seeds)}\textsuperscript{a}" in latex


@pytest.mark.slow
def test_latex_compiles(compile_latex: Callable[..., str], tmp_path: Path) -> None:
    symbols = "".join(chr(code) for code in (*range(0x391, 0x3AA), *range(0x3B1, 0x3CA)) if chr(code).isalpha())
    symbols += "₀₁₂₃₄₅₆₇₈₉₋₊⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺−±×·≤≥≠≈∞→←↑↓∈√∂‖–—…‘’“”\u00a0éüß"
    wide = tuple(Heading(name=f"c{place}", label=AWKWARD[:10], unit="nats") for place in range(9))
    published = Published(value=0.5, std=0.1, n=3)
    tables = [
        table(notes=(AWKWARD, symbols, symbols.upper())),
        EMPTY,
        table(
            columns=wide,
            cells={
                (row, head.name): Cell(mean=1, n=1, planned=1, published=published, verdict="agrees")
                for head in wide
                for row in ("b1", "kl")
            },
        ),
    ]
    log = compile_latex([each.latex() for each in tables])
    assert "Missing character" not in log
    assert (tmp_path / "tables.pdf").stat().st_size > 1000


def test_legend_says_how_complete_and_how_reduced() -> None:
    assert table(coverage=(10, 10)).legend == "Mean ± standard deviation. All 10 planned trials."
    legend = table(reduced="14×14 images", selection="the best").legend
    assert "Shown: the best." in legend
    assert "Reduced study (14×14 images): not comparable with published numbers." in legend
    assert table(reduced="only mnist", comparable=True).legend.endswith(" A part of the study: only mnist.")
    assert table(comparable=True).legend == table().legend
    assert "No trials are planned." in EMPTY.legend
    for written in (table(reduced="14×14 images").markdown(), table(reduced="14×14 images").html()):
        assert "not comparable with published" in written
    missing = {key: Cell(planned=3) for key in table().cells}
    assert "No results yet: 0 of 10 planned trials." in table(cells=missing, coverage=(0, 10)).legend
    for written in (EMPTY.markdown(), EMPTY.latex(), EMPTY.html()):
        assert "No rows: there is nothing to show." in written


def test_published_values_and_verdicts_stand_beside() -> None:
    cells = dict(table().cells)
    cells["b1", "rate"] = Cell(
        mean=0.9, std=0.01, n=3, planned=3, published=Published.printed("0.920", "0.020", 3), verdict="agrees"
    )
    compared = table(cells=cells)
    layout = lay_out(compared)
    assert layout.header == ("objective", "rate (nats)", "accuracy of z₁ ↑")
    first, second = (items for _, items in layout.rows)
    assert [(item.published, item.verdict) for item in (*first, *second)] == [
        ("0.920 ± 0.020", "agrees"),
        *[("", "")] * 3,
    ]
    frame = pd.read_csv(io.StringIO(compared.csv()))
    assert frame.loc[0, ["published", "published_std", "published_n", "verdict"]].tolist() == [0.92, 0.02, 3, "agrees"]
    rows = [[text.strip() for text in line.strip("|").split("|")] for line in compared.markdown().splitlines()[4:]]
    assert rows[3:5] == [["↳ published", "0.920 ± 0.020", ""], ["↳ verdict", "agrees", ""]]  # below the first row only
    assert [text for _, text in Cells(compared.html()).cells][:2] == [
        "0.90 ± 0.01 published 0.920 ± 0.020 agrees",
        "−104.26 ± 1.00 (2/3 seeds)a",
    ]
    latex = compared.latex().splitlines()
    at = next(place for place, line in enumerate(latex) if line.startswith(r"$\beta$ = 1"))
    grey = r"\textcolor[gray]{0.4}{"
    assert latex[at + 1] == rf"{grey}\quad published}} & {grey}0.920 $\pm$ 0.020}} &  \\"
    assert latex[at + 2] == rf"{grey}\quad verdict}} & {grey}agrees}} &  \\"
    assert "textcolor" not in table().latex()


def test_published_numbers_keep_the_decimals_with_which_they_are_printed() -> None:
    assert Published.printed("0.90", "0.01", 3) == Published(value=0.9, std=0.01, n=3, digits=2)
    whole = Published.printed("88")
    assert (whole.value, whole.n, whole.digits) == (88, None, 0)
    assert math.isnan(whole.std)
    with pytest.raises(ValueError, match="n/a"):
        Published.printed("n/a")
    cells = dict(table().cells) | {("b1", "rate"): Cell(mean=0.9, n=1, planned=1, digits=3, published=whole)}
    assert lay_out(table(cells=cells)).rows[0][1][0].published == "88"


def test_lookup_by_name_or_label_and_nearest_names() -> None:
    assert table().cell("b1", "rate") is FULL
    assert table().cell("β = 1", "accuracy of z₁") is PARTIAL
    assert table().cell("Β=1", "RATE") is FULL
    with pytest.raises(NoSuchCell, match=r"objectives has no column 'rates'; did you mean rate\?"):
        table().cell("b1", "rates")
    with pytest.raises(NoSuchCell, match="objectives has no row 'zzzz'; there are b1, kl"):
        table().cell("zzzz", "rate")
    with pytest.raises(NoSuchCell, match="it has none"):
        EMPTY.cell("b1", "rate")


def test_a_table_is_complete_and_consistent() -> None:
    with pytest.raises(ValueError, match=r"one cell for each row and column; see \('kl', 'rate'\)"):
        table(cells={key: cell for key, cell in table().cells.items() if key != ("kl", "rate")})
    with pytest.raises(ValueError, match="a row twice: b1, b1"):
        table(rows=(Heading(name="b1"), Heading(name="b1")))
    with pytest.raises(ValueError, match="between 0 and all of its 3 planned trials, not 4"):
        Cell(mean=1, n=4, planned=3)
    with pytest.raises(ValueError, match="has a mean"):
        Cell(n=1, planned=3)


def test_numbers() -> None:
    assert number(-0.001, 2) == "0.00"
    assert number(-1.005, 1) == "−1.0"
    assert number(math.inf, 2) == "∞"
    assert number(-math.inf, 2) == "−∞"
    words = Cell(text="PixelCNN")
    assert not words.missing
    cells = dict(table().cells) | {("b1", "rate"): words}
    assert "| PixelCNN |" in " ".join(table(cells=cells).markdown().split())


def test_footnotes_continue_after_z() -> None:
    rows = tuple(Heading(name=f"r{place}") for place in range(28))
    cells = {(row.name, "rate"): Cell(mean=0, n=1, planned=1, note=f"note {place}") for place, row in enumerate(rows)}
    many = table(rows=rows, columns=(Heading(name="rate"),), cells=cells)
    letters = [letter for letter, _ in lay_out(many).footnotes]
    assert letters[:2] == ["a", "b"]
    assert letters[-3:] == ["z", "aa", "ab"]
    shared = table(cells={key: Cell(planned=3, note="same") for key in table().cells})
    assert lay_out(shared).footnotes == (("a", "same"),)


def test_summaries_of_planned_trials() -> None:
    trials = pd.DataFrame(
        {"trial": ["a", "b", "c"], "status": ["completed", "missing", "out_of_memory"], "rate": [1.0, np.nan, 4.0]}
    )
    cell = summarise(trials, "rate", digits=1)
    assert (cell.mean, cell.n, cell.planned, cell.trials) == (2.5, 2, 3, ("a", "c"))
    assert cell.std == pytest.approx(np.std([1, 4], ddof=1))
    assert summarise(trials, "psnr") == Cell(planned=3)
    assert summarise(trials[1:2], "rate").missing
    frame = Frame(study="a/b", question="", axes=(), quantities=(), trials=trials)
    assert coverage(frame, ["rate"]) == (2, 3)
    assert coverage(frame, ["rate", "psnr"]) == (0, 3)
    assert describe_status(frame) == ("a/b: 1/3 trials (1 failed, 1 missing).",)
    assert describe_status(frame.subset([True, False, False], "")) == ()
