from __future__ import annotations

import itertools

import pandas as pd
import pytest

from models.kinds import Binomial, Digits, FlatModel, FreeBitsObjective, Training
from studies.trial import Trial
from sweep.failures import REASON_LENGTH, grouped, normalise, reason_of, region, traceback_of
from sweep.pack import Pack, decide

BASE = Trial(
    data=Digits(),
    model=FlatModel(latent=2, likelihood=Binomial(total=16)),
    objective=FreeBitsObjective(floor=1.0),
    training=Training(steps=10, batch_size=4),
)


def pack(size: int) -> Pack:
    trials = tuple(BASE.model_copy(update={"seed": seed}) for seed in range(size))
    return Pack(trials=trials, decision=decide(BASE, size, "cpu"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cannot open /data/a7/x.bin", "cannot open /tmp/b/y-2.bin"),
        ("<object at 0x7f31c0ffee>", "<object at 0x55d0>"),
        ("tried to allocate 20.50 GiB", "tried to allocate 3 GiB"),
        ("shape (3, 4) and -1.5e-3", "shape (30, 400) and 2E+5"),
        ("two\n  lines", "two lines"),
    ],
)
def test_equal_failures_of_different_trials_read_the_same(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("rate_z1 is not finite", "rate_z2 is not finite"),
        ("float32 is not float64", "float64 is not float32"),
        ("nats/s", "bits/s"),
        ("a", "b"),
    ],
)
def test_different_failures_stay_different(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


def test_a_reason_is_one_short_line_and_normalising_twice_changes_nothing() -> None:
    text = normalise("word " * 1000 + "\n")
    assert len(text) <= REASON_LENGTH
    assert "\n" not in text
    for reason in (text, normalise("cannot open /a/b at 0x12 after 3.5 tries")):
        assert normalise(reason) == reason


def test_a_reason_names_the_type_and_a_traceback_ends_with_the_error() -> None:
    with pytest.raises(KeyError) as raised:
        {}["learning_rate"]
    assert reason_of(raised.value) == "KeyError: 'learning_rate'"
    assert traceback_of(raised.value).rstrip().endswith("KeyError: 'learning_rate'")


AXES = ("beta", "objective")


@pytest.fixture
def planned() -> pd.DataFrame:
    """A grid of 4 × 2 settings at 3 seeds."""
    rows = itertools.product((0.1, 0.5, 1.0, 2.0), ("free bits", "β"), range(3))
    frame = pd.DataFrame(list(rows), columns=[*AXES, "seed"])
    return frame.assign(trial=[f"t{row:02d}" for row in range(len(frame))], status="completed", reason="")


def test_the_region_names_the_axes_on_which_the_failures_stand_apart(planned: pd.DataFrame) -> None:
    assert region(planned[planned.beta == 0.5], planned, AXES) == "beta = 0.5"
    corner = planned[(planned.beta > 0.4) & (planned.objective == "β")]
    assert region(corner, planned, AXES) == "beta = 0.5, 1, 2; objective = β"
    assert region(planned[planned.seed == 2], planned, AXES) == "seed = 2"
    assert region(planned, planned, AXES) == ""


def test_a_region_of_many_values_is_cut_short() -> None:
    planned = pd.DataFrame({"beta": [float(value) for value in range(10)], "seed": 0})
    assert region(planned[planned.beta < 7], planned, ("beta",)) == "beta = 0, 1, 2, 3, …"


def test_failures_are_grouped_by_status_and_reason_with_the_most_frequent_first(planned: pd.DataFrame) -> None:
    planned.loc[planned.beta == 2.0, ["status", "reason"]] = ["error", "ValueError: N"]
    planned.loc[planned.trial == "t00", ["status", "reason"]] = ["crashed", "died"]
    planned.loc[planned.trial == "t04", ["status", "reason"]] = ["error", "died"]
    planned.loc[planned.trial == "t06", "status"] = "diverged"
    groups = grouped(planned, AXES, frozenset({"error", "crashed"}))
    assert [(one.status, one.reason, one.count) for one in groups] == [
        ("error", "ValueError: N", 6),
        ("crashed", "died", 1),
        ("error", "died", 1),
    ]
    assert groups[0].region == "beta = 2"
    assert groups[0].example == "t18"
    assert groups[1].region == "beta = 0.1; objective = free bits; seed = 0"
    assert sum(one.count for one in groups) == planned.status.isin(["error", "crashed"]).sum()


def test_no_failures_no_groups(planned: pd.DataFrame) -> None:
    assert grouped(planned, AXES, frozenset({"error"})) == []
