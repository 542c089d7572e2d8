"""Where a row comes from: the code, the packages, the host. Gathered once in each process."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import platform
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
PACKAGES = ("models", "evaluation", "studies", "results", "sweep")
RECORDED = (
    "ratesweep",
    "torch",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "scikit-learn",
    "scipy",
    "ray",
    "safetensors",
)


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """code: git commit of this software, '+dirty' where it is not that commit's, or the version of an installed copy.
    packages: JSON object of the versions that results may depend on."""

    code: str
    packages: str
    host: str


@functools.cache
def provenance() -> Provenance:
    """This process's provenance."""
    return Provenance(code=code_of(HERE), packages=json.dumps(_packages(), sort_keys=True), host=socket.gethostname())


def version() -> str:
    """The version of this software."""
    return importlib.metadata.version("ratesweep")


def code_of(folder: Path) -> str:
    """The commit checked out in `folder`, '+dirty' where files that it tracks were changed or code was added."""
    if not (folder / ".git").exists():
        return version()
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    if commit is None:
        return version()
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    added = _git(folder, "ls-files", "--others", "--exclude-standard", *(f"{name}/*.py" for name in PACKAGES))
    return commit + ("+dirty" if changed or added else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _packages() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in RECORDED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # Ray is not needed by the local executor
    return versions
