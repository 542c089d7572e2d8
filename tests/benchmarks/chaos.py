"""Chaos: a study under hundreds of faults, at moments from a seed, and what it has come to.

    python tests/benchmarks/chaos.py [FAULTS] [SEED]

FAULTS (default 200) faults of all kinds, five at least of each, strike a study of 44 trials that is launched again
until it is done, life after life, each with a store of its own. The study ends each time as in the calm, or the program
fails. The kinds and the moments are the seed's, which is printed; how far the work is then depends on the machine.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "chaos"), str(TESTS / "sweep" / "execution")]
os.environ.update(RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0", OMP_NUM_THREADS="1", MKL_CBWR="AUTO,STRICT")

from campaign import Campaign, parts  # noqa: E402
from nodes import Nodes  # noqa: E402

LEAST = 5  # of each kind
LONGEST = {"alone": 40, "memory": 5, "nodes": 15}  # faults in one life of the study
WEIGHTS = {  # how often each kind comes beyond that
    "worker killed": 12.0,
    "worker stopped": 1.0,
    "driver killed": 2.0,
    "driver terminated": 1.0,
    "driver interrupted": 1.0,
    "out of memory": 0.5,
    "storage flaky": 8.0,
    "disk full": 1.0,
    "compaction killed": 4.0,
    "report killed": 4.0,
    "second launch": 0.2,
    "node lost": 0.5,
    "preemption": 0.5,
}


def main(faults: int = 200, seed: int = 0) -> None:
    """Runs the campaign and prints its summary."""
    seed = seed or secrets.randbelow(10**6) + 1
    print(f"seed {seed}", flush=True)
    campaign = Campaign(seed, lambda line: print(line, flush=True))
    campaign.run_calm()
    for part, some in parts(faults, WEIGHTS, LEAST, seed).items():
        nodes = Nodes() if part == "nodes" else None
        try:
            campaign.run(some, LONGEST[part], exact=part != "memory", nodes=nodes)
        finally:
            if nodes is not None:
                nodes.close()
        print(f"so far, after the part {part!r}:\n{campaign.summary.text()}", flush=True)
    campaign.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
