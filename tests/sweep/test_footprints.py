"""What packs were seen to take of memory, and how wide the next ones are for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, Training
from studies.trial import Trial
from sweep.footprints import FILLED, Footprint, Footprints
from sweep.pack import Decision, Pack

TRIAL = Trial(
    data=Digits(),
    model=FlatModel(latent=2, likelihood=Binomial(total=16)),
    objective=BetaObjective(),
    training=Training(steps=10, batch_size=32),
)
TRIALS = tuple(TRIAL.model_copy(update={"seed": seed}) for seed in range(128))


def pack(width: int, device: str = "cuda") -> Pack:
    decision = Decision(shape=TRIAL.shape, device=device, width=width, path="sequential" if width == 1 else "fused")
    return Pack(trials=TRIALS[:width], decision=decision)


def seen(width: int, memory: int, *, fits: bool, used: int = 0, device: str = "cuda") -> Footprint:
    return Footprint(shape=TRIAL.shape, device=device, width=width, memory=memory, fits=fits, used=used)


def test_what_nobody_has_seen_is_tried() -> None:
    assert Footprints().sized(pack(64), 1) == [pack(64)]
    of_another = Footprints.of([seen(64, 1000, fits=False, device="cpu")])
    assert of_another.sized(pack(64), 1) == [pack(64)]


@pytest.mark.parametrize(
    ("memory", "fits"), [(1000, False), (999, False), (1001, True), (None, False)]
)  # where memory is not known, it may be that which was too little
def test_what_did_not_fit_does_not_fit_into_as_much_or_less(memory: int | None, fits: bool) -> None:
    known = Footprints.of([seen(64, 1000, fits=False)])
    assert known.fits(pack(64), memory) is fits
    assert known.fits(pack(128), memory) is fits
    assert known.fits(pack(32), memory)


def test_what_was_measured_tells_of_other_widths_and_other_devices() -> None:
    known = Footprints.of([seen(64, 80, fits=True, used=64)])  # one for each member
    assert known.fits(pack(64), 80)
    assert not known.fits(pack(64), 70)
    assert known.fits(pack(32), 40)
    assert known.fits(pack(64), None)


def test_the_same_is_learned_once() -> None:
    known = Footprints()
    assert known.add(seen(64, 1000, fits=False))
    assert not known.add(seen(64, 1000, fits=False))
    assert known.add(seen(64, 2000, fits=False))
    assert known.add(seen(64, 1000, fits=True, used=10))


@given(st.sampled_from([1, 4, 7, 32, 64, 128]), st.integers(1, 200), st.integers(1, 200))
def test_sized_packs_hold_every_trial_once_and_are_no_narrower_than_they_must_be(
    width: int, memory: int, used: int
) -> None:
    known = Footprints.of([seen(width, 1000, fits=True, used=used)])
    parts = known.sized(pack(width), memory)
    assert [trial for part in parts for trial in part.trials] == list(TRIALS[:width])
    for part in parts:
        room = used / width * part.decision.width <= FILLED * memory
        assert room or part.decision.path == "sequential"  # one by itself is tried, whatever was seen
    if used <= FILLED * memory:
        assert parts == [pack(width)]
