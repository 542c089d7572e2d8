"""No-op trials through plan, launch, status and tables: seconds, memory of the driver and files, stage by stage.

    .venv/bin/python tests/benchmarks/scale.py [COUNT …]

Three sizes show how each stage grows; the store of each size is made afresh and removed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

STUDY = "tests/benchmarks/noop_study.py:noop"
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Stage:
    """One command: wall seconds, the largest resident memory of its process (MB), files in the store after it."""

    seconds: float
    memory: float
    files: int


def run(arguments: list[str], count: int, store: Path, codes: tuple[int, ...] = (0,)) -> Stage:
    """Runs one verb as a user would, and watches its own process (not Ray's); it must end with one of `codes`."""
    environment = os.environ | {"NOOP_TRIALS": str(count), "RAY_AUTH_MODE": "disabled"}
    begun = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "sweep", *arguments, "--store", str(store)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
    ) as process:
        watched, memory = psutil.Process(process.pid), 0.0
        while process.poll() is None:
            try:
                memory = max(memory, watched.memory_info().rss / 1e6)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.02)
    if process.returncode not in codes:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    files = sum(1 for entry in store.rglob("*") if entry.is_file()) if store.exists() else 0
    return Stage(time.perf_counter() - begun, memory, files)


def measure(count: int) -> dict[str, Stage]:
    """All stages at one size. The second launch finds everything done."""
    with tempfile.TemporaryDirectory() as folder:
        store, out = Path(folder) / "store", Path(folder) / "out"
        return {
            "plan (empty store)": run(["plan", STUDY], count, store),
            "launch (Ray)": run(["launch", STUDY], count, store),
            "launch again": run(["launch", STUDY], count, store),
            "plan": run(["plan", STUDY], count, store),
            "status": run(["status", STUDY], count, store),
            "tables": run(["tables", STUDY, "--out", str(out)], count, store),
        }


def main(counts: list[int]) -> None:
    measured = {count: measure(count) for count in counts}
    print(f"| stage | {' | '.join(f'{count:,} trials' for count in counts)} | growth, last two | memory | files |")
    print("|---|" + "---|" * (len(counts) + 3))
    for stage in measured[counts[0]]:
        seconds = [measured[count][stage].seconds for count in counts]
        largest = measured[counts[-1]][stage]
        growth = "-" if len(counts) < 2 else f"{seconds[-1] / seconds[-2]:.2f}× for {counts[-1] / counts[-2]:.1f}×"
        cells = " | ".join(f"{value:.1f} s" for value in seconds)
        print(f"| {stage} | {cells} | {growth} | {largest.memory:.0f} MB | {largest.files:,} |")


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]] or [5_000, 10_000, 20_000])
