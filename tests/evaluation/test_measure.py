"""Families run once, and a value that is absent, of the wrong form or not finite is refused by name."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from evaluation.errors import EvaluationError
from evaluation.measure import measure, measure_each
from results.quantity import Estimate, Quantity

MODULE = "a_users_study"


def quantity(name: str, family: str = ":family", form: str = "number") -> Quantity:
    return Quantity(name=name, unit="nats", goal="none", family=family, form=form)


@pytest.fixture
def family(monkeypatch):
    """Puts `values` behind the family ':family' of a user's module; returns the list of calls."""
    calls: list[tuple[str, ...]] = []

    def install(values):
        def computed(view, names):
            calls.append(names)
            return values

        module = ModuleType(MODULE)
        module.family = computed
        module.other = computed
        monkeypatch.setitem(sys.modules, MODULE, module)
        return calls

    return install


def test_values_in_the_order_asked_for_and_one_call_a_family(family):
    calls = family({"a": Estimate(1.0), "b": Estimate(2.0, 0.5), "more": Estimate(0.0)})
    asked = [quantity("b"), quantity("a", ":other"), quantity("a")]
    assert measure(None, asked[:1] + asked[2:], MODULE) == {"b": Estimate(2.0, 0.5), "a": Estimate(1.0)}
    assert calls == [("b", "a")]
    assert list(measure(None, asked[:2], MODULE)) == ["b", "a"]
    assert calls[1:] == [("b",), ("a",)]


@pytest.mark.parametrize(
    ("values", "form", "message"),
    [
        ({"rate_z1": Estimate(1.0)}, "number", "gave no value for 'rate_z2'; did you mean rate_z1"),
        ({"rate_z2": Estimate(float("nan"))}, "number", "rate_z2: nan"),
        ({"rate_z2": Estimate(float("inf"))}, "number", "rate_z2: inf"),
        ({"rate_z2": Estimate(1.0, float("nan"))}, "number", "1.0 ± nan"),
        ({"rate_z2": Estimate(1.0, -1.0)}, "number", "1.0 ± -1.0"),
        ({"rate_z2": 1.0}, "number", "an Estimate, not float"),
        ({"rate_z2": Estimate(1.0)}, "images", "images are an array, not Estimate"),
        ({"rate_z2": np.zeros((2, 1, 8, 8))}, "images", "uint8 .*float64"),
        ({"rate_z2": np.zeros((2, 8, 8), np.uint8)}, "images", r"\(2, 8, 8\)"),
        ({"rate_z2": np.full((2, 3), np.nan)}, "codes", "codes are finite"),
    ],
)
def test_refused_values_name_family_and_quantity(family, values, form, message):
    family(values)
    with pytest.raises(EvaluationError, match=message) as caught:
        measure(None, [quantity("rate_z2", form=form)], MODULE)
    assert ":family" in str(caught.value)
    assert "rate_z2" in str(caught.value)


def test_what_fails_does_no_harm_to_the_rest(family, monkeypatch):
    family({"a": Estimate(1.0), "b": Estimate(float("nan")), "c": 3.0, "e": Estimate("many")})

    def raising(view, names):
        raise ArithmeticError("no probe")

    monkeypatch.setattr(sys.modules[MODULE], "raising", raising, raising=False)
    monkeypatch.setattr(sys.modules[MODULE], "nothing", lambda view, names: None, raising=False)
    asked = [
        *(quantity("x", ":raising"), quantity("b"), quantity("a"), quantity("n", ":nothing")),
        *(quantity("c"), quantity("y", ":raising"), quantity("d"), quantity("e"), quantity("f", ":absent")),
    ]
    values, errors = measure_each(None, asked, MODULE)
    assert values == {"a": Estimate(1.0)}
    assert list(errors) == ["x", "b", "n", "c", "y", "d", "e", "f"]
    assert errors["x"] is errors["y"]
    assert str(errors["x"]) == "no probe"
    for name, told in {"b": "b: nan", "c": "not float", "d": "no value for 'd'", "f": "no function 'absent'"}.items():
        assert told in str(errors[name])
    with pytest.raises(ArithmeticError, match="no probe"):
        measure(None, asked, MODULE)


def test_pictures_and_codes_pass(family):
    pictures, codes = np.zeros((2, 1, 8, 8), np.uint8), np.zeros((5, 3), np.float32)
    family({"pictures": pictures, "codes": codes})
    found = measure(None, [quantity("pictures", form="images"), quantity("codes", form="codes")], MODULE)
    assert found["pictures"] is pictures
    assert found["codes"] is codes


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("evaluation.probes:prob", "no function 'prob'; did you mean probes"),
        ("evaluation.nowhere:probes", "No module named 'evaluation.nowhere'"),
        (":probes", "'module:function', not ':probes'"),
        ("evaluation.probes", "'module:function', not 'evaluation.probes'"),
    ],
)
def test_families_that_are_not_there(name, message):
    with pytest.raises(EvaluationError, match=message):
        measure(None, [quantity("x", name)])


def test_all_quantities_of_the_digits_are_measured(linear):
    import torch

    from evaluation.view import PackView
    from models.noise import key
    from studies import quantities

    groups = ("z1", "z2")
    asked = [
        *quantities.information(groups),
        quantities.PSNR,
        *quantities.probes(groups),
        quantities.mutual_information("z2"),
        *quantities.PICTURES,
    ]
    pack = PackView(linear.network(), linear.weights(1), linear.data(150), key(0)[None], torch.float64)
    found = measure(pack.trial(0), asked)
    assert list(found) == [each.name for each in asked]
    assert len(found) == 5 + 1 + 8 + 1 + 3
