"""Still pictures of plotly figures: PNG, PDF and SVG, drawn by a Chromium that is found on this machine, never fetched.

One browser draws all pictures of a call. It needs no network: plotly.js comes from the installed package and MathJax is
off. Chromium's sandbox is off, as it does not start for root or in most containers, and the pages drawn are our own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from results.files import StoreError

FORMATS = ("png", "pdf", "svg")
PIXEL_DENSITY = 2.0  # of PNGs: 2 keeps text crisp at a journal's column width
SECONDS_PER_PICTURE = 180.0  # a 3-D scene on a busy machine without a GPU takes tens of seconds


class StaticImageError(StoreError):
    """A still picture that cannot be made: no browser, or the browser failed. The message is one line."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One still picture to make: a figure, the file (its suffix is the format), and the size in CSS pixels."""

    plot: go.Figure
    path: Path
    width: int
    height: int


def find_chromium() -> Path | None:
    """The Chromium-like browser that still pictures are drawn with, or None. BROWSER_PATH comes before PATH."""
    from choreographer.browsers.chromium import Chromium  # imported here: most commands draw nothing

    found = os.environ.get("BROWSER_PATH") or Chromium.find_browser(skip_local=False)
    if found is None or not (Path(found).is_file() and os.access(found, os.X_OK)):
        return None
    return Path(found)


def missing_chromium() -> str:
    """One line that says which program still pictures lack here and how to provide it; empty where it is found."""
    if find_chromium() is not None:
        return ""
    named = os.environ.get("BROWSER_PATH")
    where = f"BROWSER_PATH={named} is not a program" if named else "none was found on PATH"
    return (
        f"PNG, PDF and SVG need Chromium or Chrome, and {where}: install one (for instance "
        "`apt-get install chromium`) or name its path in the environment variable BROWSER_PATH"
    )


def check_formats(formats: Sequence[str], known: Sequence[str] = FORMATS) -> tuple[str, ...]:
    """`formats` in lower case and without doubles; raises ValueError for one that is not in `known`."""
    chosen = tuple(dict.fromkeys(name.lower().removeprefix(".") for name in formats))
    for name in chosen:
        if name not in known:
            raise ValueError(f"no figure format {name!r}; known: {', '.join(known)}")
    return chosen


def write_pictures(pictures: Sequence[Picture]) -> tuple[Path, ...]:
    """Draws all `pictures` with one browser and returns their paths, in order.

    Raises StaticImageError where no browser is found or where a picture fails; those already drawn stay.
    """
    if not pictures:
        return ()
    browser = find_chromium()
    if browser is None:
        raise StaticImageError(missing_chromium())
    import kaleido
    from choreographer.errors import DevtoolsProtocolError
    from kaleido.errors import KaleidoError

    jobs: list[dict[str, Any]] = []
    for picture in pictures:
        kind = check_formats([picture.path.suffix])[0]
        picture.path.parent.mkdir(parents=True, exist_ok=True)
        scale = PIXEL_DENSITY if kind == "png" else 1.0
        options = {"format": kind, "width": picture.width, "height": picture.height, "scale": scale}
        jobs.append({"fig": picture.plot, "path": picture.path, "opts": options})
    settings = {"path": browser, "mathjax": False, "timeout": SECONDS_PER_PICTURE}
    try:
        failures = kaleido.write_fig_from_object_sync(jobs, kopts=settings)
    except (OSError, RuntimeError, TimeoutError, KaleidoError, DevtoolsProtocolError) as error:
        raise StaticImageError(f"{browser} did not start or died: {_one_line(error)}") from error
    missing = [picture.path for picture in pictures if not picture.path.is_file()]
    if failures or missing:
        reason = _one_line(failures[0]) if failures else "the browser wrote nothing"
        names = ", ".join(path.name for path in missing) or "a picture"
        raise StaticImageError(f"{names} could not be drawn by {browser}: {reason}")
    return tuple(picture.path for picture in pictures)


def _one_line(error: BaseException) -> str:
    # The browser driver's errors hold several sentences of advice; the first says what happened.
    message = error.args[0] if error.args else ""
    while isinstance(message, tuple) and message:
        message = message[0]
    return " ".join(f"{type(error).__name__}: {message}".split())
