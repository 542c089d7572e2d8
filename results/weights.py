"""The stored weights of several trials: each file that holds some of them is read and decoded once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from results.files import Files, StoreError, Vanished
from results.tensors import Torn, decode

Weights = dict[str, np.ndarray]


def read_weights(
    files: Files, kept: Mapping[str, str | None], trials: Iterable[str]
) -> dict[str, Weights | StoreError]:
    """trial -> its tensors by name, or why there are none; what is wrong with one file is told of its trials alone.

    kept: of the trials that are stored, the name of the file in weights/, None where no weights were kept.
    """
    found: dict[str, Weights | StoreError] = {}
    sharing: dict[str, list[str]] = {}
    for trial in trials:
        own = kept.get(trial)
        if trial not in kept:
            found[trial] = StoreError(f"no trial {trial} in {files}")
        elif own is None:
            found[trial] = StoreError(f"no weights were kept of trial {trial}")
        else:
            sharing.setdefault(own, []).append(trial)
    for name, members in sharing.items():
        found |= _read_file(files, f"weights/{name}", members)
    return found


def _read_file(files: Files, name: str, trials: Iterable[str]) -> dict[str, Weights | StoreError]:
    try:
        tensors, _ = decode(files.read(name))
    except Vanished:
        return {trial: StoreError(f"the weights of trial {trial} have been pruned ({name})") for trial in trials}
    except Torn as fault:
        return {trial: StoreError(f"{files}/{name}: {fault}") for trial in trials}
    except StoreError as fault:
        return dict.fromkeys(trials, fault)
    found: dict[str, Weights | StoreError] = {}
    for trial in trials:
        prefix = f"{trial}/"
        found[trial] = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
    return found
