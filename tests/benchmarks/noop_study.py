"""A study of trials that cost nothing: one parameter, one step. What remains is what the orchestrator itself costs.

A user's own file, with his own data, model, objective and quantity: `sweep launch tests/benchmarks/noop_study.py:noop`.
The number of trials comes from the environment, NOOP_TRIALS (default 20,000).
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

from models.families import Data, Model, Objective
from models.kinds import Training
from models.spec import NonNegative
from results.quantity import Estimate, Quantity
from studies.axes import axis
from studies.study import Study
from studies.trial import Trial


class Ramp(Data):
    """64 images of one pixel, to train and to test on."""

    kind = "noop-ramp"
    implementation = ":load_ramp"
    shape: ClassVar[tuple[int, int, int]] = (1, 1, 1)
    levels: ClassVar[int] = 63
    classes: ClassVar[int] = 2


def load_ramp(spec: Ramp) -> Any:
    import torch

    from models.data.dataset import Dataset, Split

    images = torch.arange(64, dtype=torch.uint8)[:, None, None, None]
    split = Split(images=images, labels=torch.arange(64) % 2)
    return Dataset(spec=spec, train=split, test=split)


class Constant(Model):
    """A model of one number."""

    kind = "noop-constant"
    implementation = ":build_constant"


def build_constant(spec: Constant, data: Data) -> Any:
    import torch

    from models.network import Code, Network, Terms

    class ConstantNetwork(Network):
        groups = ("z1",)

        def __init__(self) -> None:
            super().__init__()
            self.level = torch.nn.Parameter(torch.zeros(1))

        def initialise(self, noise: Any, site: str) -> dict[str, Any]:
            return {"level": noise.normal(site, (1,))}

        def terms(self, x: Any, noise: Any) -> Terms:
            error = (x[:, 0, 0, 0] / 63 - self.level) ** 2
            return Terms(error[None] * 0, error, {})

        def codes(self, x: Any, noise: Any) -> dict[str, Code]:
            mean = x[:, :, 0, 0] + self.level
            return {"z1": Code(mean, torch.ones_like(mean), mean)}

        def reconstruct(self, x: Any) -> Any:
            return x * 0 + self.level

        def generate(self, count: int, noise: Any) -> Any:
            return self.level.expand(count)[:, None, None, None]

    return ConstantNetwork()


class Scaled(Objective):
    """The distortion times a number that makes each trial another one."""

    kind = "noop-scaled"
    implementation = ":build_scaled"
    numbers = frozenset({"scale"})
    scale: NonNegative = 1.0


def build_scaled(spec: Scaled) -> Any:
    from models.objectives import ObjectiveFunction

    class ScaledDistortion(ObjectiveFunction):
        def loss(self, terms: Any, state: Any, step: Any, numbers: Any) -> Any:
            return terms.distortion.mean() * numbers["scale"], state

    return ScaledDistortion(spec)


def measure(view: Any, names: tuple[str, ...]) -> dict[str, Estimate]:
    return {"distortion": Estimate(float(view.distortion.mean()))}


noop = Study(
    name="noop",
    question="What does the orchestrator itself cost a trial?",
    base=Trial(data=Ramp(), model=Constant(), objective=Scaled(), training=Training(steps=1, batch_size=32)),
    axes=axis("objective.scale", tuple(float(index) for index in range(int(os.environ.get("NOOP_TRIALS", "20000"))))),
    quantities=(Quantity(name="distortion", unit="nats", goal="minimise", family=":measure"),),
)
