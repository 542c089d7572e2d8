"""A short storm: faults at random moments of a study's life, and the study ends as if it had been calm."""

from __future__ import annotations

import os
import secrets

import pytest
from campaign import Campaign
from weather import PHASES, forecast, in_rounds, shares

SEED = int(os.environ.get("RATESWEEP_CHAOS_SEED", "0")) or secrets.randbelow(10**6) + 1
SPARE = 2  # faults that may come too late: how fast the study is depends on the machine
KINDS = {
    "worker killed": 3,
    "worker stopped": 1,
    "driver killed": 1,
    "driver terminated": 1,
    "compaction killed": 1,
    "report killed": 1,
}


def test_a_forecast_depends_on_its_seed_alone() -> None:
    faults = forecast(KINDS, 7)
    assert faults == forecast(KINDS, 7)
    assert faults != forecast(KINDS, 8)
    assert sorted(fault.kind for fault in faults) == sorted(kind for kind in KINDS for _ in range(KINDS[kind]))
    assert {fault.phase for fault in forecast({"worker killed": 100}, 1)} == set(PHASES)


def test_shares_and_rounds_lose_no_fault() -> None:
    counts = shares(200, {"worker killed": 8.0, "driver killed": 1.0, "disk full": 0.2}, 5)
    assert sum(counts.values()) == 200
    assert min(counts.values()) >= 5
    with pytest.raises(ValueError, match="too few"):
        shares(9, {"worker killed": 1.0, "driver killed": 1.0}, 5)
    faults = forecast(counts, 1)
    rounds = in_rounds(faults, 30)
    assert [fault for some in rounds for fault in some] == faults
    assert max(len(some) for some in rounds) <= 30
    assert in_rounds([], 30) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_study_in_a_storm_ends_as_in_the_calm(capsys: pytest.CaptureFixture[str]) -> None:
    """RATESWEEP_CHAOS_SEED=N repeats a storm; the moments are the seed's, but how far the work is then varies."""
    campaign = Campaign(SEED, print)
    with capsys.disabled():
        print(f"\nseed {SEED}")
        campaign.run_calm()
        more = KINDS | {"worker killed": KINDS["worker killed"] + SPARE}
        campaign.run(forecast(more, SEED), longest=sum(more.values()), spare=SPARE)
        print(campaign.summary.text())
    assert campaign.summary.faults >= sum(KINDS.values()) >= 8
    assert campaign.summary.by(1)["train"] * 2 >= campaign.summary.faults
    campaign.close()
