"""A user's own file of studies, with his own kinds, loaded by path or from its shipped source text.

The file never comes in through `sys.path`, where its name could hide a module or be hidden by one. It is registered in
`sys.modules` under a name made of its stem and the hash of its source, so that a worker which is sent the source text
has the same module under the same name, and whatever the file defines is found there by `cls.__module__`.
"""

from __future__ import annotations

import hashlib
import re
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models.spec import SpecificationError, describe, nearest
from studies.paths import StudyError

PREFIX = "study_file"
_CURRENT: dict[str, str] = {}  # file -> name of its version that was executed last


@dataclass(frozen=True, kw_only=True)
class UserModule:
    """A loaded file: `load_source(source, name)` makes it again in another process.

    name: in `sys.modules`. sha256: of the source, recorded with every result that the file had a part in.
    """

    name: str
    path: str
    source: str = field(repr=False)
    sha256: str

    @property
    def module(self) -> types.ModuleType:
        return sys.modules[self.name]

    def get(self, attribute: str) -> Any:
        """What the file defines under that name; raises `StudyError` with the nearest."""
        known = vars(self.module)
        if attribute not in known:
            defined = [name for name in known if not name.startswith("_")]
            raise StudyError(f"{self.path} defines no {attribute}; {nearest(attribute, defined)}")
        return known[attribute]


def load_file(path: str | Path) -> UserModule:
    """The user's file at `path`, executed once for each version of its source.

    Raises StudyError in one line for a file that is missing, unreadable, no Python or fails when it is executed.
    """
    file = Path(path)
    try:
        source = file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise StudyError(f"there is no file {path}; {_nearest_file(file)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} cannot be read: {error}") from None
    digest = _sha256(source)
    stem = re.sub(r"\W", "_", file.stem)
    return _load(source, f"{PREFIX}_{stem}_{digest[:16]}", str(file.resolve()), digest)


def load_source(source: str, name: str) -> UserModule:
    """The module of a user's file from its source text, under the name that `load_file` gave it."""
    digest = _sha256(source)
    stem, _, tag = name.rpartition("_")
    if not stem.startswith(PREFIX) or tag != digest[:16]:
        raise StudyError(f"the source of {name} has another hash, {digest[:16]}")
    return _load(source, name, f"<{stem}>", digest)


def _load(source: str, name: str, path: str, digest: str) -> UserModule:
    loaded = UserModule(name=name, path=path, source=source, sha256=digest)
    if name in sys.modules and _CURRENT.get(_file(sys.modules[name])) == name:
        return loaded
    module = types.ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module
    try:
        exec(compile(source, path, "exec", dont_inherit=True), vars(module))
    except SyntaxError as error:
        del sys.modules[name]
        raise StudyError(f"{path}, line {error.lineno}: {error.msg}") from None
    except Exception as error:  # whatever the user's own code raises is the user's to read, in one line
        del sys.modules[name]
        raise StudyError(f"{path}{_line(error, path)}: {_message(error)}") from error
    _CURRENT[path] = name
    return loaded


def _file(module: types.ModuleType) -> str:
    return module.__file__ or ""


def _sha256(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


def _line(error: BaseException, path: str) -> str:
    """Where in the user's file the error arose: the innermost of its lines."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return "" if line is None else f", line {line}"


def _message(error: Exception) -> str:
    """The error in one line: our own and pydantic's say all themselves, others need their name."""
    if isinstance(error, ValidationError):
        return describe(error)
    text = str(error) if isinstance(error, SpecificationError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def _nearest_file(file: Path) -> str:
    folder = file.parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    return nearest(file.name, (entry.name for entry in folder.glob("*.py")))
