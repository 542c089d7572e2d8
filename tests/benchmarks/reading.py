"""A store of 100,050 trials read: status and all tables of one of its ten studies, each in a fresh process.

    .venv/bin/python tests/benchmarks/reading.py [STORE]

Without STORE, one is written first, in two minutes or three (tests/benchmarks/store_of_grids.py), and removed. Of three
runs the middle one counts. The second table says where the time of a status goes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from scale import ROOT, Stage, run
from store_of_grids import main as write_store

STUDY = "tests/benchmarks/grid_studies.py:study_3"
SOME_FAILED = 3
TIMES = 3
TARGETS = {"status": "≤ 2 s", "tables": "≤ 5 s", "plan": "-"}
PARTS = """
    import sys, time
    begun = time.perf_counter()
    def told(what):
        global begun
        print(f"| {what} | {time.perf_counter() - begun:.2f} s |")
        begun = time.perf_counter()
    from results.reading import Reading
    from results.scan import check_files
    from results.store import ResultStore
    from studies.catalogue import find
    from sweep.cli.standing import standing
    import sweep.plan
    told("imports")
    study, store = find([sys.argv[1]])[0].study, ResultStore.open(sys.argv[2])
    ids = [trial.id for trial in study.trials()]
    told("enumeration of the study, with its identities")
    reading = Reading(store, ids)
    reading.trials
    told("its attempts, among all that are stored")
    reading.evaluations
    told("what was measured of them")
    standing(study, store, (), reading)
    told("counting, grouping failures by reason and region")
    check_files(store.files, store.damaged)
    told("a look at the footer of every file")
"""


def measure(verb: str, store: Path, out: Path) -> Stage:
    """The middle one of some runs."""
    arguments = [verb, STUDY, *(["--out", str(out)] if verb == "tables" else [])]
    stages = [run(arguments, 0, store, (0, SOME_FAILED)) for _ in range(TIMES)]
    return sorted(stages, key=lambda stage: stage.seconds)[TIMES // 2]


def main(store: Path, out: Path) -> None:
    print("| command | time | target | memory | files |")
    print("|---|---|---|---|---|")
    for verb, target in TARGETS.items():
        stage = measure(verb, store, out)
        print(f"| {verb} | {stage.seconds:.2f} s | {target} | {stage.memory:.0f} MB | {stage.files} |", flush=True)
    print("\n| part of a status | time |\n|---|---|", flush=True)
    subprocess.run([sys.executable, "-c", textwrap.dedent(PARTS), STUDY, str(store)], cwd=ROOT, check=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) == 1:
            write_store(Path(folder) / "store")
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "store", Path(folder) / "out")
