"""The grammar of `--set`: `data.batches=1`, a value for one part of every trial of a study."""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass
from typing import Any

from models.spec import Spec
from studies import paths
from studies.paths import StudyError
from studies.trial import Trial

_OVERRIDE = re.compile(r"\s*(?P<path>[^\s=]+)\s*=\s*(?P<value>\S.*?)\s*")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "none": None}


@dataclass(frozen=True, kw_only=True)
class Override:
    """A path and the value that is to stand there in every trial."""

    path: str
    value: Any

    def __str__(self) -> str:
        return f"{self.path} = {'none' if self.value is None else self.value}"

    def changes(self, base: Trial) -> bool:
        """Whether `base` has another value there; raises StudyError where a value cannot be set."""
        if paths.parse(self.path)[-1] == paths.KIND:
            raise StudyError(f"{self.path}: another kind makes another study, which a file of your own can define")
        found = paths.get(base, self.path)
        if isinstance(found, Spec | tuple):
            inside = (path for path in paths.paths(base) if _within(path, self.path) and path != self.path)
            parts = [path for path in inside if paths.parse(path)[-1] != paths.KIND]
            raise StudyError(f"{self.path} has parts; set one of them: {', '.join(parts) or 'none'}")
        return bool(found != self.value)

    def meets(self, path: str) -> bool:
        """Whether a value at `path` would stand in its place, or contain it, or be inside it."""
        return _within(path, self.path) or _within(self.path, path)


def _within(path: str, whole: str) -> bool:
    steps, outer = paths.parse(path), paths.parse(whole)
    return steps[: len(outer)] == outer


def parse(text: str) -> Override:
    """An override from its text; raises StudyError where it is none."""
    match = _OVERRIDE.fullmatch(text)
    if match is None:
        raise StudyError(f"a value is set like data.batches=1 or training.steps=1000, not {text!r}")
    paths.parse(match["path"])
    return Override(path=match["path"], value=_value(match["value"]))


def _value(text: str) -> Any:
    """A number, true, false, none or a word: what the path takes is for its specification to judge. 1e3 is a count."""
    for number in (int, float):
        with contextlib.suppress(ValueError):
            value = number(text)
            return int(value) if "." not in text and math.isfinite(value) and value == int(value) else value
    return _WORDS.get(text.lower(), text)
