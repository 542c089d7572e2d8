"""How many packs of each kind of device Tune may have at once."""

from __future__ import annotations

import pytest

from sweep.executor import ExecutorError
from sweep.feed import places


@pytest.mark.parametrize(
    ("devices", "cpus", "gpus", "expected"),
    [
        ({"cpu"}, 2, 0, {"cpu": 3}),
        ({"cpu"}, 16, 1, {"cpu": 20}),
        ({"cuda"}, 16, 1, {"cuda": 2, "cpu": 15}),
        ({"cuda", "cpu"}, 64, 8, {"cuda": 10, "cpu": 56}),
        ({"cuda", "cpu"}, 1, 1, {"cuda": 2, "cpu": 1}),
    ],
)
def test_a_pack_on_a_gpu_finds_a_cpu(devices: set[str], cpus: int, gpus: int, expected: dict[str, int]) -> None:
    assert places(devices, cpus=cpus, gpus=gpus) == expected


def test_packs_for_cuda_where_ray_has_no_gpu_are_refused() -> None:
    with pytest.raises(ExecutorError, match="launch with --device cpu"):
        places({"cuda", "cpu"}, cpus=4, gpus=0)
