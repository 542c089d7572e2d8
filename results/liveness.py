"""Liveness and blame: checkpoints, in-flight marks and heartbeats, files that live only while work is under way.

They say what was running where, so that a crash can be laid at a pack's door; what has been done is said by the tables
alone.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
import re
import socket
from collections.abc import Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from results.files import Files, StoreError, Vanished
from results.tensors import Torn, decode, encode, metadata_of

CHECKPOINTS = "checkpoints"
INFLIGHT = "inflight"
HEARTBEATS = "heartbeats"
STOPS = "stops"

_BLOCK = 512
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def file_name(folder: str, name: str, suffix: str) -> str:
    """`folder/name.suffix`; raises `StoreError` for a name that cannot be a file's everywhere."""
    if not _NAME.fullmatch(name):
        raise StoreError(f"a name in {folder}/ is of letters, digits, '.', '_' and '-', not {name!r}")
    return f"{folder}/{name}.{suffix}"


def names(files: Files, folder: str, suffix: str) -> list[str]:
    """The names of the files of a folder, without folder and suffix."""
    return [name.removeprefix(f"{folder}/").removesuffix(f".{suffix}") for name in files.names(folder)]


def save_checkpoint(files: Files, pack: str, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Replaces a pack's checkpoint, whole or not at all."""
    files.write(file_name(CHECKPOINTS, pack, "safetensors"), encode(tensors, metadata))


def load_checkpoint(
    files: Files, pack: str, damaged: MutableMapping[str, str]
) -> tuple[dict[str, np.ndarray], dict[str, str]] | None:
    """A pack's tensors and metadata; None where there is no whole checkpoint."""
    name = file_name(CHECKPOINTS, pack, "safetensors")
    damaged.pop(name, None)
    try:
        return decode(files.read(name))
    except Vanished:
        return None
    except Torn as fault:
        damaged[name] = str(fault)
        return None


def checkpoint_metadata(files: Files, pack: str) -> dict[str, str] | None:
    """A pack's checkpoint's metadata, without its tensors; None where there is none."""
    try:
        with files.open(file_name(CHECKPOINTS, pack, "safetensors")) as file:
            return metadata_of(file)
    except (Vanished, Torn):
        return None


def mark_inflight(files: Files, pack: str, record: Mapping[str, Any]) -> None:
    """Says that a pack has been started."""
    text = _json(record)
    # Padded, so that one record covers another; JSON ends in whatever blanks.
    files.overwrite(file_name(INFLIGHT, pack, "json"), text.ljust(-(-len(text) // _BLOCK) * _BLOCK))


def read_records(files: Files, folder: str, damaged: MutableMapping[str, str]) -> dict[str, dict[str, Any]]:
    """The JSON objects of a folder by name; what is none is skipped and reported."""

    def content(name: str) -> bytes | None:
        try:
            return files.read(name)
        except Vanished:
            return None

    found = files.names(folder)
    if len(found) < 2 or files.readers < 2:
        contents = [content(name) for name in found]
    else:
        with ThreadPoolExecutor(min(files.readers, len(found))) as pool:
            contents = list(pool.map(content, found))
    records: dict[str, dict[str, Any]] = {}
    for name, text in zip(found, contents, strict=True):
        damaged.pop(name, None)
        if text is None:
            continue
        try:
            record = json.loads(text)
        except ValueError:
            damaged[name] = "not JSON"
            continue
        if isinstance(record, dict):
            records[name.removeprefix(f"{folder}/").removesuffix(".json")] = record
        else:
            damaged[name] = "not a JSON object"
    return records


@functools.cache
def kernel() -> str:
    """What tells this kernel, and its numbering of processes, from others: equal numbers then mean one process.

    The name of a host is not enough: pods in the network of their host share it, and so do machines all of one name.
    Of Linux since it was started, and of a container of its own; empty where that cannot be told.
    """
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def beat(files: Files, launch: str, studies: Sequence[str], at: datetime.datetime) -> None:
    """Says that a launch of this process, of these studies, is alive at this time."""
    record = {
        "launch": launch,
        "studies": list(studies),
        "host": socket.gethostname(),
        "process": os.getpid(),
        "kernel": kernel(),
        "time": at.isoformat(),
    }
    files.write(file_name(HEARTBEATS, launch, "json"), _json(record), durable=False)


def beating(
    files: Files, within: float, at: datetime.datetime, damaged: MutableMapping[str, str]
) -> dict[str, dict[str, Any]]:
    """The launches that beat at most `within` seconds before `at`, each with its age in seconds.

    Or after it, by as much: the clock of the host that wrote a heartbeat may be ahead of this one's.
    """
    alive: dict[str, dict[str, Any]] = {}
    for launch, record in read_records(files, HEARTBEATS, damaged).items():
        age = seconds_since(record.get("time"), at)
        if age is None:
            damaged[f"{HEARTBEATS}/{launch}.json"] = "not a heartbeat: it has no time"
            continue
        if abs(age) <= within:
            alive[launch] = record | {"seconds": age}
    return alive


def seconds_since(said: object, at: datetime.datetime) -> float | None:
    """Seconds from a time that a record gives as text; None where it gives none."""
    try:
        return (at - datetime.datetime.fromisoformat(str(said))).total_seconds()
    except (TypeError, ValueError):
        return None


def _json(record: Mapping[str, Any]) -> bytes:
    try:
        return (json.dumps(dict(record), sort_keys=True, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError) as error:
        raise StoreError(f"a record holds plain JSON values: {error}") from None
