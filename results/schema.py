"""The Parquet tables of the store: explicit Arrow schemas, stamped with a format version.

FORMAT rises when a reader of the older code would misunderstand new files. Adding a nullable column is not such a
change: readers fill what an older file lacks with nulls. Every row names its trial and its attempt.
"""

from __future__ import annotations

import pyarrow as pa

FORMAT = 1
FORMAT_KEY = b"ratesweep.format"
TABLE_KEY = b"ratesweep.table"

_TIME = pa.timestamp("us", tz="UTC")


def _schema(table: str, fields: list[tuple[str, pa.DataType]]) -> pa.Schema:
    return pa.schema(
        [pa.field(name, kind) for name, kind in fields],
        metadata={FORMAT_KEY: str(FORMAT).encode(), TABLE_KEY: table.encode()},
    )


# One row an attempt that ended, written last in a commit: its presence is the commit.
TRIALS = _schema(
    "trials",
    [
        ("trial", pa.string()),
        ("attempt", pa.string()),
        ("setting", pa.string()),
        ("seed", pa.int64()),
        ("status", pa.string()),  # completed diverged | error crashed timeout out_of_memory
        ("reason", pa.string()),  # normalised, one line: equal for equal failures
        ("traceback", pa.string()),
        ("step", pa.int64()),  # steps done, or the step at which it diverged or failed
        ("specification", pa.string()),  # canonical JSON
        ("pack", pa.string()),
        ("launch", pa.string()),
        ("width", pa.int32()),
        ("path", pa.string()),
        ("threads", pa.int32()),
        ("slot", pa.int32()),
        ("device", pa.string()),
        ("precision", pa.string()),
        ("code", pa.string()),  # git commit of this software, "+dirty" where the tree was changed
        ("packages", pa.string()),  # JSON: versions of torch, numpy, scikit-learn, ...
        ("source", pa.string()),  # SHA-256 of the user's own files, by comma, that define its kinds or quantities
        ("host", pa.string()),
        ("process", pa.int64()),
        ("started", _TIME),
        ("finished", _TIME),
        ("train_seconds", pa.float64()),  # this trial's share of its pack's time
        ("evaluate_seconds", pa.float64()),
        ("weights", pa.string()),  # file under weights/ that holds "<trial>/<tensor>", null where none is kept
    ],
)

# One row a measured value, or a failure to measure it. A re-evaluation adds rows for the same attempt; of equal keys
# the latest `evaluated` wins.
METRICS = _schema(
    "metrics",
    [
        ("trial", pa.string()),
        ("attempt", pa.string()),
        ("quantity", pa.string()),
        ("version", pa.int32()),
        ("weights", pa.string()),  # which weights: last | ema
        ("value", pa.float64()),
        ("standard_error", pa.float64()),
        ("unit", pa.string()),
        ("goal", pa.string()),
        ("prerequisite", pa.string()),  # the identity of an artefact it was measured with, where there is one
        ("code", pa.string()),
        ("packages", pa.string()),
        ("evaluated", _TIME),
        ("error", pa.string()),  # why it could not be measured, normalised; the value is null then
        ("traceback", pa.string()),
    ],
)

# One row a curve, at most 200 points.
CURVES = _schema(
    "curves",
    [
        ("trial", pa.string()),
        ("attempt", pa.string()),
        ("name", pa.string()),
        ("step", pa.list_(pa.int64())),
        ("value", pa.list_(pa.float64())),
    ],
)

# One row a stack of pictures or of latent points; values row-major.
ARRAYS = [
    ("trial", pa.string()),
    ("attempt", pa.string()),
    ("name", pa.string()),
    ("version", pa.int32()),
    ("shape", pa.list_(pa.int32())),
]
IMAGES = _schema("images", [*ARRAYS, ("levels", pa.int32()), ("values", pa.list_(pa.uint8())), ("evaluated", _TIME)])
CODES = _schema("codes", [*ARRAYS, ("values", pa.list_(pa.float32())), ("evaluated", _TIME)])

# How trials of one shape are packed on one kind of device: the first row wins for ever.
DECISIONS = _schema(
    "decisions",
    [
        ("shape", pa.string()),
        ("device", pa.string()),
        ("width", pa.int32()),
        ("path", pa.string()),
        ("threads", pa.int32()),
        ("source", pa.string()),  # rule | calibrated
        ("decided", _TIME),
    ],
)

# What a pack was seen to take of the memory of its device, so that the next ones are as wide as it allows.
FOOTPRINTS = _schema(
    "footprints",
    [
        ("shape", pa.string()),
        ("device", pa.string()),
        ("width", pa.int32()),
        ("memory", pa.int64()),  # bytes that the pack might use
        ("fits", pa.bool_()),
        ("used", pa.int64()),  # the most bytes that it held at once; 0 where that was not measured
        ("seen", _TIME),
    ],
)

# Rows for trials that are not attempts of their own: one launch of a study.
LAUNCHES = _schema(
    "launches",
    [
        ("launch", pa.string()),
        ("study", pa.string()),
        ("event", pa.string()),  # started | ended | interrupted
        ("at", _TIME),
        ("host", pa.string()),
        ("process", pa.int64()),
        ("command", pa.string()),
        ("planned", pa.int64()),
        ("pending", pa.int64()),
        ("exit_code", pa.int32()),
        ("code", pa.string()),
        ("packages", pa.string()),
    ],
)

# What a worker printed while it ran a pack: one row a run of a pack in which anything was, the last 64 KiB.
LOGS = _schema(
    "logs",
    [
        ("log", pa.string()),
        ("pack", pa.string()),
        ("launch", pa.string()),
        ("host", pa.string()),
        ("process", pa.int64()),
        ("trials", pa.list_(pa.string())),
        ("started", _TIME),
        ("ended", _TIME),
        ("outcome", pa.string()),
        ("text", pa.string()),
    ],
)

TABLES: dict[str, pa.Schema] = {
    "trials": TRIALS,
    "metrics": METRICS,
    "curves": CURVES,
    "images": IMAGES,
    "codes": CODES,
    "decisions": DECISIONS,
    "footprints": FOOTPRINTS,
    "launches": LAUNCHES,
    "logs": LOGS,
}

# The columns that name a row: rows with equal keys say the same thing, so an interrupted compaction is harmless.
KEYS: dict[str, tuple[str, ...]] = {
    "trials": ("attempt",),
    "metrics": ("trial", "attempt", "quantity", "version", "weights"),
    "curves": ("trial", "attempt", "name"),
    "images": ("trial", "attempt", "name", "version"),
    "codes": ("trial", "attempt", "name", "version"),
    "decisions": ("shape", "device", "decided"),
    "footprints": ("shape", "device", "width", "memory", "fits"),
    "launches": ("launch", "study", "event"),
    "logs": ("log",),
}

FINISHED = frozenset({"completed", "diverged"})
# A completed trial of which a quantity could not be measured: of a frame's rows, never of the table `trials`.
EVALUATION_FAILED = "evaluation_failed"
FAILED = frozenset({"error", "crashed", "timeout", "out_of_memory", EVALUATION_FAILED})
# The trials of a frame that were trained to the end, and have values of what could be measured.
TRAINED = frozenset({"completed", EVALUATION_FAILED})
