"""Rehearsals: the five scenarios against their lower bounds, and 100,000 trials with all that goes wrong.

    .venv/bin/python tests/benchmarks/rehearsing.py [COUNT]

The second table is of a process of its own, `sweep rehearse` of COUNT trials that cost nothing to describe
(tests/benchmarks/noop_study.py) on 64 GPUs: seconds and memory are those of the whole command.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from sweep.rehearsal.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[2]
STUDY = "tests/benchmarks/noop_study.py:noop"
CLUSTER = ("--nodes", "8", "--gpus", "8", "--pack-seconds", "600", "--evaluate", "within")
FAULTS = {
    "--failures": "0.02",
    "--node-loss": "0.05",
    "--errors": "0.0001",
    "--poisons": "0.0001",
    "--divergences": "0.01",
    "--out-of-memory": "0.1",
}


def scenarios() -> None:
    """One line a scenario."""
    print("| scenario | packs | GPUs | makespan | lower bound | ratio | utilisation | first picture | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    for one in SCENARIOS.values():
        begun = time.process_time()
        report = one.run()
        took = time.process_time() - begun
        if report.wrong:
            raise SystemExit(f"{one.name}: {'; '.join(report.wrong)}")
        cells = [
            one.name,
            f"{report.packs:,}",
            f"{report.slots['cuda']}",
            f"{report.makespan / 3600:.2f} h",
            f"{report.bound.seconds / 3600:.2f} h",
            f"{report.ratio:.3f}",
            f"{report.utilisation['cuda']:.0%}",
            f"{(report.picture or 0.0) / report.makespan:.0%}",
            f"{took:.1f}",
        ]
        print(f"| {' | '.join(cells)} |")


def large(count: int) -> None:
    """One rehearsal of so many trials, undisturbed and with faults."""
    print("| trials | faults | packs | attempts | ended as | ratio | wall s | CPU s | memory |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, faults in (("none", {}), ("all kinds", FAULTS)):
        options = [word for pair in faults.items() for word in pair]
        command = [sys.executable, "-m", "sweep", "rehearse", STUDY, *CLUSTER, *options, "--json"]
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        environment = os.environ | {"NOOP_TRIALS": str(count)}
        told = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
        wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        report = json.loads(told.stdout)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        cells = [
            f"{report['trials']:,}",
            name,
            f"{report['packs']:,}",
            f"{report['attempts']['started']:,}",
            ", ".join(f"{number:,} {status}" for status, number in sorted(report["statuses"].items())),
            f"{report['ratio']:.2f}",
            f"{wall:.1f}",
            f"{processor:.1f}",
            f"{after.ru_maxrss / 1e3:.0f} MB",
        ]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    scenarios()
    print()
    large(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
