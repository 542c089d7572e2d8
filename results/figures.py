"""Figure: a plot of stored results with its caption and the count of its trials; as HTML anywhere, as PNG, PDF or SVG
where Chromium is present."""

from __future__ import annotations

import html
import json
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from results import static_images
from results.files import LocalFiles
from results.static_images import Picture, check_formats, missing_chromium, write_pictures

FORMATS = ("html", *static_images.FORMATS)
STILL_WIDTH = 1120  # CSS pixels; at this width text is as large as in the report
_FALLBACK_HEIGHT = 520
_FOOTER, _FOOTER_LINE, _FOOTER_INDENT = 30, 15, 64  # CSS pixels
_FOOTER_LETTERS = 160
_CONFIG = {
    "displayModeBar": "hover",
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d"],
    "plotlyServerURL": "",
    "responsive": True,
    "showSendToCloud": False,  # plotly.js would offer to upload the figure
    "toImageButtonOptions": {"format": "svg"},
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A plot with what a reader must know beside it.

    name: file stem, letters, digits, '-', '_' and '.'; title: a line; caption: what is drawn, plain text.
    plot: in the house style (results.style), with no title of its own.
    coverage: (trials drawn, trials planned); trials: the ids of those drawn; studies: the studies they belong to.
    reduced: how the selection is reduced (an @small twin, a filter); notes: further remarks, a line each.
    """

    name: str
    title: str
    caption: str
    plot: go.Figure
    coverage: tuple[int, int]
    trials: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    reduced: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]+", self.name):
            raise ValueError(f"a figure's name is a file stem of letters, digits, '-', '_' and '.', not {self.name!r}")
        present, planned = self.coverage
        if not 0 <= present <= planned:
            raise ValueError(f"a figure draws between none and all of its planned trials, not {present} of {planned}")

    @property
    def remarks(self) -> tuple[str, ...]:
        """How many trials are there, how the study is reduced, and what else must be said."""
        present, planned = self.coverage
        lines = [f"{present} of {planned} trials" if planned else "no trial matches this selection"]
        if self.reduced:
            lines.append(f"reduced: {self.reduced}")
        return (*lines, *self.notes)

    @property
    def height(self) -> int:
        """Height of the plot in CSS pixels."""
        return int(self.plot.layout.height or _FALLBACK_HEIGHT)

    def html(self, full: bool = False) -> str:
        """Interactive HTML: a whole self-contained page, or a fragment for a page that has loaded plotly.js already.

        The same figure gives the same text every time, and opening it makes no request.
        """
        fragment = self._fragment()
        if not full:
            return fragment
        css = stylesheet()
        return (
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{html.escape(self.title)}</title>\n<style>\n{css}</style>\n<script>{get_plotlyjs()}</script>\n"
            f"</head>\n<body>\n<main>\n{fragment}</main>\n</body>\n</html>\n"
        )

    def still(self) -> go.Figure:
        """The plot without its menus and with its remarks at the foot, for a picture that travels without its page."""
        picture = go.Figure(self.plot)
        picture.layout.updatemenus = ()
        margin, usual = picture.layout.margin, picture.layout.template.layout.margin
        bottom, left = margin.b or usual.b or 80, margin.l or usual.l or 80
        lines = textwrap.wrap(" · ".join(self.remarks), _FOOTER_LETTERS)
        footer = _FOOTER + _FOOTER_LINE * (len(lines) - 1)
        picture.update_layout(height=self.height + footer, margin_b=bottom + footer)
        picture.add_annotation(
            text="<br>".join(map(html.escape, lines)),
            align="left",
            xref="paper",
            yref="paper",
            x=0,
            y=0,
            xshift=min(0, _FOOTER_INDENT - left),
            yshift=-bottom - footer + 4,
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
            font={"size": 11, "color": "#5f6b7a"},
        )
        return picture

    def write(self, out_dir: Path | str, formats: Sequence[str] = ("html",)) -> tuple[Path, ...]:
        """Writes NAME.html, NAME.png, … under `out_dir` and returns the paths; see `write_figures`."""
        return write_figures([self], out_dir, formats).paths

    def _fragment(self) -> str:
        # plotly.js draws at once while the page is parsed, so that a loaded page is a drawn page.
        encoded = json.loads(self.plot.to_json())
        encoded["config"] = _CONFIG
        # "<" can stand only inside JSON strings, where its escape means the same and cannot end the script.
        data = json.dumps(encoded, sort_keys=True, separators=(",", ":")).replace("<", "\\u003c")
        identity = html.escape(self.name, quote=True)
        remarks = "".join(f'<span class="remark">{html.escape(line)}</span>' for line in self.remarks)
        return (
            f'<figure class="figure" id="figure-{identity}">\n<h3>{html.escape(self.title)}</h3>\n'
            f'<div class="scroll"><div class="plot" id="plot-{identity}" style="height:{self.height}px"></div></div>\n'
            f"<figcaption>{html.escape(self.caption)} <span class=remarks>{remarks}</span></figcaption>\n"
            f'<script>Plotly.newPlot("plot-{identity}",{data});</script>\n</figure>\n'
        )


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a call wrote; `message` is one line on what it could not write for want of a program, else empty."""

    paths: tuple[Path, ...]
    message: str = ""


def write_figures(figures: Iterable[Figure], out_dir: Path | str, formats: Sequence[str] | None = None) -> Written:
    """Writes every figure in every format, still pictures with one browser in all.

    formats: of html, png, pdf, svg. None means HTML and what else this machine can make: without Chromium only HTML is
    written and `message` says so. Raises ValueError for an unknown format, StaticImageError where a still picture was
    asked for by name and Chromium is missing or fails (HTML has been written by then), StoreError where the disk fails.
    """
    shown = tuple(figures)
    folder = Path(out_dir)
    message = ""
    if formats is None:
        message = missing_chromium()
        formats = FORMATS if not message else ("html",)
    chosen = check_formats(formats, FORMATS)
    paths: list[Path] = []
    if "html" in chosen:
        for figure in shown:
            with LocalFiles(folder).create(f"{figure.name}.html", durable=False) as file:
                file.write(figure.html(full=True).encode())
            paths.append(folder / f"{figure.name}.html")
    kinds = [kind for kind in chosen if kind != "html"]
    pictures = [
        Picture(plot=still, path=folder / f"{figure.name}.{kind}", width=STILL_WIDTH, height=int(still.layout.height))
        for figure, still in ((figure, figure.still()) for figure in (shown if kinds else ()))
        for kind in kinds
    ]
    paths.extend(write_pictures(pictures))
    return Written(paths=tuple(paths), message=message)


def stylesheet() -> str:
    """The CSS of reports and of single figures."""
    return files("results").joinpath("report.css").read_text(encoding="utf-8")
