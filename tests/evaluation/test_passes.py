"""Passes of a pack are kept for as many members as a budget allows, and no number knows of that."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from evaluation.measure import measure
from evaluation.passes import widest
from evaluation.view import PackView, View
from models import noise
from models.build import build_network, load_data
from models.initialise import initialise
from models.kinds import Binomial, DenseDecoder, DenseEncoder, Digits, HierarchicalModel
from results.quantity import Quantity

UNBOUNDED = 2**40


def everything(view: View) -> dict[str, np.ndarray]:
    found = {"distortion": view.distortion, "reconstructions": view.reconstructions(), "samples": view.samples(10)}
    for group in view.groups:
        found[f"rate {group}"] = view.rates[group]
        found[f"mode {group}"] = view.modes(group)
        found[f"scale {group}"] = view.scales(group, 70)
        found |= {f"{name} {group}": array for name, array in view.codes(group)._asdict().items()}
    return found


@pytest.fixture(scope="module")
def digits() -> Any:
    """Makes a view of 64 members of a hierarchical model of the digits at an odd width, and says what it calls."""
    data = load_data(Digits())
    model = HierarchicalModel(
        latents=(5, 3),
        encoder=DenseEncoder(widths=(33,)),
        conditional=(17,),
        decoder=DenseDecoder(widths=(33,)),
        likelihood=Binomial(total=16),
    )
    network = build_network(model, data.spec)
    keys = torch.stack([noise.key(seed) for seed in range(64)])
    parameters = initialise(network, keys, torch.float32, data.train.images)
    # Not all alike, as after training.
    spread = {name: tensor * torch.linspace(0.5, 2, 64).reshape(64, *[1] * (tensor.dim() - 1))
              for name, tensor in parameters.items()}  # fmt: skip
    calls: Counter[str] = Counter()

    def make(budget: int, **rest: Any) -> PackView:
        calls.clear()
        return PackView(network, spread, data, keys, budget=budget, **rest)

    network.register_forward_pre_hook(lambda module, given: calls.update([given[0]]))
    return make, calls


ONE = 64 * 4  # bytes of a reconstruction, the largest result: 64 float32 pixels


@pytest.mark.parametrize(("most", "width"), [(63, 32), (31, 4), (3, 2), (0, 1)])
def test_values_are_those_of_an_unbounded_view_bit_for_bit(digits, most, width):
    """Of windows narrower than a vector, too: batches are whole vectors, and this model has no number a member."""
    make, _ = digits
    whole = make(UNBOUNDED)
    bounded = make(most * whole.rows * ONE)
    for slot in (33, 2, 63):
        expected = everything(whole.trial(slot))
        for name, array in everything(bounded.trial(slot)).items():
            np.testing.assert_array_equal(array, expected[name], err_msg=name)
    assert kept(bounded)["reconstruct"] == (width, width * whole.rows * ONE)


def kept(pack: PackView) -> dict[str, tuple[int, int]]:
    """(members, bytes) that are kept of each pass."""
    return {
        method: (len(arrays[0]), sum(array.nbytes for array in arrays))
        for (method, _), (_, arrays) in pack.passes._kept.items()
    }


def test_a_pass_is_made_once_a_window_and_only_the_last_window_is_kept(digits):
    make, calls = digits
    rows = make(UNBOUNDED).rows
    pack = make(40 * rows * ONE)
    for slot in range(64):
        everything(pack.trial(slot))
        assert all(taken <= 40 * rows * ONE for _, taken in kept(pack).values())
    chunks = -(-rows // 256)
    # What fits in whole is made once; reconstructions in two windows, after a first chunk that tells their size.
    assert calls == {"terms": chunks, "codes": chunks, "modes": chunks, "scales": 1, "generate": 1} | {
        "reconstruct": 1 + 2 * chunks
    }
    pack.trial(0).reconstructions()
    assert calls["reconstruct"] == 1 + 3 * chunks
    pack.trial(31).reconstructions()
    assert calls["reconstruct"] == 1 + 3 * chunks


def test_members_that_run_one_after_another_are_kept_one_at_a_time(digits):
    make, calls = digits
    pack = make(UNBOUNDED, fused=False)
    fused = make(UNBOUNDED)
    for slot in (0, 1, 40):
        before = calls["reconstruct"]
        one = pack.trial(slot).reconstructions()
        assert kept(pack)["reconstruct"] == (1, one.nbytes)
        assert calls["reconstruct"] - before == -(-pack.rows // 256)
        np.testing.assert_allclose(one, fused.trial(slot).reconstructions(), atol=1e-6)


def test_what_a_family_returns_does_not_hold_the_window(digits):
    make, _ = digits
    view = make(UNBOUNDED).trial(5)
    quantity = Quantity(name="means", unit="", goal="none", family=f"{__name__}:means", form="codes")
    value = measure(view, [quantity])["means"]
    np.testing.assert_array_equal(value, view.codes("z1").mean)
    assert value.base is None


def means(view: View, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    return {"means": view.codes("z1").mean}


@pytest.mark.parametrize(
    ("size", "most", "width"),
    [(64, 64, 64), (64, 63, 32), (64, 32, 32), (64, 31, 4), (96, 95, 32), (96, 7, 6), (6, 5, 3), (7, 6, 1), (4, 0, 1)],
)
def test_windows_are_equal_and_whole_vectors_or_narrower_than_one(size, most, width):
    assert widest(size, most) == width
