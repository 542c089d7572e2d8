"""Selection rules on small studies whose answers are known by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from results.frame import Frame
from results.quantity import Quantity
from results.selection import SelectionRule

NAN = math.nan

QUANTITIES = (
    Quantity(name="rate", unit="nats", goal="none", family="m:f"),
    Quantity(name="accuracy", unit="fraction", goal="maximise", family="m:f", label="MLP accuracy"),
)


def study(*settings: tuple[str, list[float], list[float]]) -> Frame:
    """Each setting: name, rates and accuracies by seed."""
    rows = [
        {"trial": f"{name}{seed}", "setting": name, "seed": seed, "status": "completed", "kind": name.upper()}
        | {"rate": rate, "accuracy": accuracy}
        for name, rates, accuracies in settings
        for seed, (rate, accuracy) in enumerate(zip(rates, accuracies, strict=True))
    ]
    columns = ["trial", "setting", "seed", "status", "kind", "rate", "accuracy"]
    return Frame(
        study="test/study",
        question="",
        axes=("kind",),
        quantities=QUANTITIES,
        trials=pd.DataFrame(rows, columns=columns),
    )


FRAME = study(
    ("d", [12.0, 12.0, 12.0], [0.99, 0.98, 0.97]),  # the best, but not under 10 nats
    ("b", [9.0, 10.5, 9.0], [0.90, 0.92, 0.91]),  # 9.5 on average, though not with every seed
    ("a", [8.0, 8.0, NAN], [0.95, 0.93, NAN]),  # the best under 10, with a seed to come
    ("c", [NAN, NAN, NAN], [NAN, NAN, NAN]),
)
UNDER_TEN = SelectionRule(maximise="accuracy", where=(("rate", "<", 10.0),))


def test_best_accuracy_under_ten_nats() -> None:
    chosen = UNDER_TEN.select(FRAME)
    assert chosen.id == "a"
    assert chosen.trials == ("a0", "a1")
    assert chosen.value == pytest.approx(0.94)
    assert chosen.std == pytest.approx(np.std([0.95, 0.93], ddof=1))
    assert (chosen.n, chosen.planned) == (2, 3)
    assert (chosen.qualified, chosen.measured, chosen.considered) == (2, 3, 4)
    assert chosen.reason == ""
    assert chosen.rule == "the setting with the highest mean MLP accuracy among those with mean rate < 10 nats"
    assert UNDER_TEN.name == "the setting with the highest mean accuracy among those with mean rate < 10"


def test_only_complete_settings() -> None:
    chosen = dataclasses.replace(UNDER_TEN, complete=True).select(FRAME)
    assert chosen.id == "b"
    assert (chosen.n, chosen.measured) == (3, 2)
    assert chosen.rule.endswith("and all planned seeds")


def test_over_trials() -> None:
    chosen = dataclasses.replace(UNDER_TEN, over="trial").select(FRAME)
    assert chosen.id == "a0"
    assert chosen.trials == ("a0",)
    assert math.isnan(chosen.std)
    assert (chosen.qualified, chosen.measured, chosen.considered) == (4, 8, 12)
    assert chosen.rule == "the trial with the highest MLP accuracy among those with rate < 10 nats"


def test_minimise_within_a_part_of_the_study() -> None:
    rule = SelectionRule(minimise="rate", where=(("accuracy", ">=", 0.9), ("accuracy", "<=", 0.99)))
    assert rule.select(FRAME).id == "a"
    assert rule.select(FRAME, within={"kind": "D"}).id == "d"
    assert rule.select(FRAME, within={"kind": "E"}).reason == "no settings are planned"


def test_nothing_qualifies_and_it_says_so() -> None:
    none = SelectionRule(maximise="accuracy", where=(("rate", "<", 1.0),)).select(FRAME)
    assert none.id is None
    assert none.trials == ()
    assert none.reason == "no setting with mean rate < 1 nats (3 of 4 settings measured)"
    empty = study(("a", [NAN], [NAN]))
    assert SelectionRule(maximise="accuracy").select(empty).reason == "none of 1 settings has results yet"
    assert SelectionRule(maximise="accuracy").select(study()).reason == "no settings are planned"
    half = study(("a", [1.0, NAN], [0.9, NAN]))
    reason = SelectionRule(maximise="accuracy", complete=True).select(half).reason
    assert reason == "none of 1 settings has results yet with all planned seeds"


def test_means_are_over_the_same_seeds_and_ties_go_to_the_first() -> None:
    # The accurate seed of a has no rate, so it does not count; b and c are equal.
    frame = study(("a", [NAN, 5.0], [0.99, 0.5]), ("b", [5.0, 5.0], [0.6, 0.6]), ("c", [5.0, 5.0], [0.6, 0.6]))
    chosen = UNDER_TEN.select(frame)
    assert chosen.id == "b"
    assert SelectionRule(maximise="accuracy").select(frame).value == pytest.approx(0.745)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="maximises or minimises one"):
        SelectionRule()
    with pytest.raises(ValueError, match="maximises or minimises one"):
        SelectionRule(maximise="accuracy", minimise="rate")
    with pytest.raises(ValueError, match="setting or trial"):
        SelectionRule(maximise="accuracy", over="seed")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="compares by one of <, <="):
        SelectionRule(maximise="accuracy", where=(("rate", "under", 10.0),))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="test/study has no column 'psnr'; it has trial"):
        SelectionRule(maximise="psnr").select(FRAME)
