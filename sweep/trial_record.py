"""TrialRecord: all that a store has of one trial, to be read by a person or a script."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.spec import nearest
from results.files import StoreError
from results.store import ResultStore

SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 40
SHOWN_MATCHES = 5
PROVENANCE = (
    "code", "source", "host", "process", "device", "precision", "path", "width", "threads", "slot", "pack",
    "launch", "started", "finished", "train_seconds", "evaluate_seconds", "weights", "packages",
)  # fmt: skip
VALUE = (
    "quantity", "version", "value", "standard_error", "unit", "goal", "weights", "prerequisite", "code", "evaluated",
    "error", "traceback",
)  # fmt: skip
ATTEMPT = ("attempt", "status", "reason", "step", "started", "finished", "host", "launch", "code")


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial as stored.

    row: of the table `trials`, the attempt that counts. specification: the trial's, as plain JSON values. quantities:
    rows of `metrics`, values and failures. arrays: name -> shape of the stored images and codes. curves: name ->
    (steps, values). attempts: rows of `trials`, in the order in which they ended.
    """

    row: Mapping[str, Any]
    specification: Mapping[str, Any]
    quantities: tuple[Mapping[str, Any], ...]
    arrays: Mapping[str, Sequence[int]]
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]]
    attempts: tuple[Mapping[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values; a number that is not finite is null."""
        return {
            **{name: self.row[name] for name in ("trial", "setting", "seed", "status", "reason", "step", "attempt")},
            "specification": dict(self.specification),
            "quantities": [{name: _json(row[name]) for name in VALUE} for row in self.quantities],
            "arrays": {name: list(shape) for name, shape in self.arrays.items()},
            "curves": {
                name: {"step": steps.tolist(), "value": [_json(value) for value in values.tolist()]}
                for name, (steps, values) in self.curves.items()
            },
            "provenance": {name: _json(self.row[name]) for name in PROVENANCE} | {"packages": self.packages},
            "traceback": self.row["traceback"],
            "attempts": [{name: _json(row[name]) for name in ATTEMPT} for row in self.attempts],
        }

    @property
    def packages(self) -> dict[str, str]:
        """The versions that were recorded, by package."""
        return dict(json.loads(self.row["packages"] or "{}"))

    def text(self) -> str:
        """A page for a terminal."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        row = self.row
        yield f"trial {row['trial']}   setting {row['setting']}   seed {row['seed']}"
        yield f"{row['status']} at step {row['step']}" + (f": {row['reason']}" if row["reason"] else "")
        yield from _section("specification", _aligned(_tree(self.specification)))
        yield from _section("quantities", self._values() or ["none stored"])
        if self.arrays:
            shapes = {name: " × ".join(map(str, shape)) for name, shape in self.arrays.items()}
            yield from _section("pictures and codes", _aligned(shapes.items()))
        yield from _section("curves", self._curves() or ["none stored"])
        yield from _section("provenance", _aligned(self._provenance()))
        if row["traceback"]:
            yield from _section("error", row["traceback"].rstrip().splitlines())
        for traceback, names in self._unmeasured().items():
            yield from _section(f"error of {', '.join(names)}", traceback.rstrip().splitlines())
        yield from _section(
            f"attempts ({len(self.attempts)})", [_attempt(one, row["attempt"]) for one in self.attempts]
        )

    def _unmeasured(self) -> dict[str, list[str]]:
        """Traceback -> the quantities that could not be measured for it."""
        found: dict[str, list[str]] = {}
        for row in self.quantities:
            if row["traceback"]:
                found.setdefault(row["traceback"], []).append(row["quantity"])
        return found

    def _values(self) -> list[str]:
        values = []
        for row in self.quantities:
            error = row["standard_error"]
            spread = "" if error is None or math.isnan(error) else f" ± {error:.2g}"
            told = row["error"] or f"{row['value']:.6g}{spread} {row['unit']}".rstrip()
            extra = [f"v{row['version']}"] if row["version"] != 1 else []
            extra += [f"{row['weights']} weights"] if row["weights"] not in (None, "last") else []
            extra += [f"by {row['prerequisite']}"] if row["prerequisite"] else []
            values.append((row["quantity"], told + (f"  ({', '.join(extra)})" if extra else "")))
        return _aligned(values)

    def _curves(self) -> list[str]:
        told = []
        for name, (steps, values) in self.curves.items():
            if len(values):
                ends = f"{values[0]:>8.4g} → {values[-1]:<8.4g}"
                told.append((name, f"{ends} {sparkline(values)}  to step {steps[-1]}"))
        return _aligned(told)

    def _provenance(self) -> list[tuple[str, str]]:
        packages = ", ".join(f"{name} {version}" for name, version in self.packages.items())
        known = dict(self.row) | {"packages": packages}
        return [(name, _plain(known[name])) for name in PROVENANCE if known[name] is not None]


def resolve(store: ResultStore, prefix: str) -> str:
    """The id of the one stored trial that begins with `prefix`; raises StoreError where there is none or several."""
    ids = sorted(store.trials(["trial"])["trial"].to_pylist())
    matches = [identity for identity in ids if identity.startswith(prefix)]
    if len(matches) == 1 or prefix in matches:
        return prefix if prefix in matches else matches[0]
    if not ids:
        raise StoreError(f"no trial {prefix!r}: {store.files} has no trials yet")
    if not matches:
        raise StoreError(f"no trial {prefix!r} in {store.files}; {_nearest_id(prefix, ids)}")
    shown = ", ".join(matches[:SHOWN_MATCHES]) + (", …" if len(matches) > SHOWN_MATCHES else "")
    raise StoreError(f"{prefix!r} begins the ids of {len(matches)} trials ({shown}): give more of it")


def _nearest_id(prefix: str, ids: Sequence[str]) -> str:
    hint = nearest(prefix, ids)
    return hint if hint.startswith("did") else f"{len(ids)} trials are stored, such as {ids[0]}"


def read_trial(store: ResultStore, prefix: str) -> TrialRecord:
    """All that is stored of the trial whose id begins with `prefix`; raises StoreError where that is not one trial."""
    trial = resolve(store, prefix)
    winner = store.trials(None, [trial])
    metrics = store.winning("metrics", None, [trial], winners=winner).to_pylist()
    arrays = {}
    for table in ("images", "codes"):
        for row in store.winning(table, ["name", "version", "shape"], [trial], winners=winner).to_pylist():
            arrays[row["name"] if row["version"] == 1 else f"{row['name']}@v{row['version']}"] = row["shape"]
    row = winner.to_pylist()[0]
    return TrialRecord(
        row=row,
        specification=json.loads(row["specification"]),
        quantities=tuple(sorted(metrics, key=lambda one: (one["quantity"], one["version"], one["weights"] or ""))),
        arrays=arrays,
        curves=store.curves(trial),
        attempts=tuple(store.attempts(trial).to_pylist()),
    )


def sparkline(values: np.ndarray) -> str:
    """Values as a line of blocks, at most 40, each the mean of its part; a gap where nothing is finite."""
    parts = np.array_split(np.asarray(values, dtype=np.float64), min(SPARK_WIDTH, len(values)))
    means = np.array([part[np.isfinite(part)].mean() if np.isfinite(part).any() else np.nan for part in parts])
    finite = means[np.isfinite(means)]
    if not len(finite):
        return ""
    low, span = finite.min(), float(np.ptp(finite))
    levels = (means - low) / (span or 1.0) * (len(SPARKS) - 1)
    return "".join(SPARKS[round(level)] if np.isfinite(level) else " " for level in levels)


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield ""
    yield title
    for line in lines:
        yield f"  {line}"


def _aligned(values: Iterable[tuple[str, str]]) -> list[str]:
    rows = list(values)
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{name.ljust(width)}  {value}".rstrip() for name, value in rows]


def _tree(part: Mapping[str, Any], indent: str = "") -> Iterator[tuple[str, str]]:
    """The fields of a specification, those of its parts indented, the kind of a part beside its name."""
    for name, value in part.items():
        if isinstance(value, Mapping):
            revision = f" (revision {value['revision']})" if "revision" in value else ""
            yield f"{indent}{name}", f"{value.get('kind', '')}{revision}"
            yield from _tree(value, indent + "  ")
        elif name not in ("kind", "revision"):
            yield f"{indent}{name}", ", ".join(map(_plain, value)) if isinstance(value, list) else _plain(value)


def _attempt(row: Mapping[str, Any], counts: str) -> str:
    seconds = (row["finished"] - row["started"]).total_seconds() if row["started"] else math.nan
    mark = "*" if row["attempt"] == counts else " "
    reason = f": {row['reason']}" if row["reason"] else ""
    return f"{mark} {row['attempt']}  {_plain(row['finished'])}  {row['status']} at step {row['step']}{reason}" + (
        f"  ({seconds:.1f} s on {row['host']})"
    )


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.9g}"
    if hasattr(value, "isoformat"):
        return str(value.isoformat(sep=" ", timespec="seconds"))
    return str(value)


def _json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value
