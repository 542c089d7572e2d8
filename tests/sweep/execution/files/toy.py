"""A user's own file: a one-parameter model on data of its own, with an objective that misbehaves on demand.

The tests write copies of this file with other values of the three constants.
"""

from __future__ import annotations

from models.families import Data, Model, Objective
from models.kinds import Adam, Training
from models.spec import NonNegative
from results.quantity import Quantity
from studies.axes import axis
from studies.study import Study
from studies.trial import Trial

TAG = "toy"
STARTS = ""  # a folder that gets one file for each trial that an execution takes up: <number>-<first step>-<random>
TRIALS = 16

RAISE, EXIT, SEGFAULT, RAISE_UNTIL_MENDED, UNPICKLABLE, HANG, OUT_OF_MEMORY = 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0


class Points(Data):
    """64 images of 2 × 2 pixels."""

    kind = f"{TAG}-points"
    implementation = ":load_points"
    shape = (1, 2, 2)
    levels = 3
    classes = 2


class Shift(Model):
    """q(z1|x) = N(μ, 1) with one parameter μ; p(z1) = N(0, 1); p(x|z1) = N(z1, 1) of each pixel."""

    kind = f"{TAG}-shift"
    implementation = ":build_shift"


class SlowShift(Shift):
    """The same, as if it were convolutional: such models train one after another."""

    kind = f"{TAG}-slow-shift"

    @property
    def convolutional(self):
        return True


class Moody(Objective):
    """D + 1000 (R − number)², with a fault of its own.

    fault: what happens at step `at`: 1 an exception, 2 the process exits, 3 a segmentation fault, 4 an exception unless
    that has been mended, 5 an exception that cannot be pickled, 6 an endless loop in native code, 7 the memory of the
    device runs out where more than `fits` trials are trained at once. diverges: the step of a loss that is no number, 0
    for none. pause: seconds a step, unless all are in a hurry.
    """

    kind = f"{TAG}-moody"
    implementation = ":Mood"
    numbers = frozenset({"number", "fault", "at", "diverges", "pause", "fits"})
    number: NonNegative
    fault: NonNegative = 0.0
    at: NonNegative = 3.0
    diverges: NonNegative = 0.0
    pause: NonNegative = 0.0
    fits: NonNegative = 0.0


def load_points(spec):
    import torch

    from models.data.dataset import Dataset, Split

    images = (torch.arange(256) * 7 % 4).to(torch.uint8).view(64, 1, 2, 2)
    split = Split(images=images, labels=torch.arange(64) % 2)
    return Dataset(spec=spec, train=split, test=split)


def build_shift(spec, data):
    import torch

    from models.network import Code, Network, Terms

    class ShiftNetwork(Network):
        groups = ("z1",)

        def __init__(self):
            super().__init__()
            self.mean = torch.nn.Parameter(torch.zeros(1))

        def initialise(self, noise, site):
            return {"mean": 1.0 + noise.uniform(f"{site}mean", (1,))}

        def codes(self, x, noise):
            mean = self.mean.expand(len(x), 1)
            return {"z1": Code(mean, torch.ones_like(mean), mean + noise.normal("posterior/z1", (len(x), 1)))}

        def terms(self, x, noise):
            z = self.codes(x, noise)["z1"].sample
            distortion = 0.5 * (x.flatten(1) - z).square().sum(1)
            return Terms((0.5 * self.mean.square()).expand(1, len(x)), distortion, {})

    return ShiftNetwork()


class Mood:
    def __init__(self, spec):
        import os
        import time

        import torch

        self.seen = seen = set()

        class Trip(torch.autograd.Function):
            """The identity, which looks at each trial's numbers: alone, or under vmap at all of the pack's."""

            generate_vmap_rule = False

            @staticmethod
            def forward(value, step, number, fault, at, fits, pause):
                time.sleep(0 if "RATESWEEP_TEST_HURRY" in os.environ else float(pause.max()))
                rows = list(zip(*(one.reshape(-1).tolist() for one in (step, number, fault, at, fits)), strict=True))
                for row in rows:
                    act(seen, len(rows), *row)
                return value.clone()

            @staticmethod
            def setup_context(ctx, inputs, output):
                return None

            @staticmethod
            def backward(ctx, gradient):
                return gradient, *[None] * 6

            @staticmethod
            def vmap(info, in_dims, *values):
                whole = [
                    value.expand(info.batch_size) if dim is None else value
                    for value, dim in zip(values, in_dims, strict=True)
                ]
                return Trip.apply(*whole), 0

        self.trip = Trip.apply

    def init(self, dtype, device):
        return {}

    def loss(self, terms, state, step, numbers):
        import torch

        value = terms.distortion.mean() + 1000 * (terms.rate.sum(0).mean() - numbers["number"]).square()
        value = self.trip(value, step, *(numbers[name] for name in ("number", "fault", "at", "fits", "pause")))
        broken = (numbers["diverges"] > 0) & (step >= numbers["diverges"])
        return torch.where(broken, torch.nan, value), state


def act(seen, width, step, number, fault, at, fits):
    import ctypes
    import os
    import re
    import uuid
    from pathlib import Path

    import torch

    if number not in seen:
        seen.add(number)
        if STARTS:
            (Path(STARTS) / f"{number:g}-{step}-{uuid.uuid4().hex}").touch()
    mended = fault == RAISE_UNTIL_MENDED and "RATESWEEP_TEST_MENDED" in os.environ
    if step == at and fault in (RAISE, RAISE_UNTIL_MENDED) and not mended:
        raise RuntimeError(f"number {number:g} will not train")
    if step == at and fault == EXIT:
        os._exit(3)
    if step == at and fault == SEGFAULT:
        ctypes.string_at(0)
    if step == at and fault == UNPICKLABLE:
        raise Unpicklable(number, "will not travel")
    if step == at and fault == HANG:
        re.match("(a+)+$", "a" * 64 + "b")  # ends in some thousand years, and holds the interpreter
    if step == at and fault == OUT_OF_MEMORY and width > fits:
        raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {width:.2f} GiB")


class Unpicklable(Exception):
    """It can neither be pickled nor made again from its arguments."""

    def __init__(self, number, what):
        super().__init__(f"number {number:g} {what}")
        self.held = lambda: number


def rates(view, names):
    """rate and half of it; a trial whose rate is near 7 has none, unless that has been mended."""
    import os

    from results.quantity import Estimate

    rate = float(view.rates["z1"].mean())
    if abs(rate - 7.0) < 0.3 and "RATESWEEP_TEST_MENDED" not in os.environ:
        raise ArithmeticError("a rate of 7 cannot be measured")
    return {"rate": Estimate(rate, 0.0), "half_rate": Estimate(rate / 2)}


def fatal(view, names):
    """Of a trial whose rate is near 8, the end of the process, unless that has been mended."""
    import os
    import signal

    from results.quantity import Estimate

    if abs(float(view.rates["z1"].mean()) - 8.0) < 0.3 and "RATESWEEP_TEST_MENDED" not in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"fatal": Estimate(0.0)}


def losing(view, names):
    """Of a trial whose rate is near 8, what torch says when a kernel has failed: the device is of no more use."""
    from results.quantity import Estimate

    if abs(float(view.rates["z1"].mean()) - 8.0) < 0.3:
        raise RuntimeError("CUDA error: device-side assert triggered")
    return {"losing": Estimate(0.0)}


def means(view, names):
    from results.quantity import Estimate

    return {"mean": Estimate(float(view.codes("z1").mean.mean()))}


def references(of):
    """The reference of a trial, by its number: 20, from 10 on 21, and from 11 on 22, which fails."""
    number = 20.0 + (of.objective.number >= 10) + (of.objective.number >= 11)
    return {"reference": trial(number, steps=24, fault=RAISE_UNTIL_MENDED if number == 22.0 else 0.0)}


def distances(view, names):
    from results.quantity import Estimate

    reference = float(view.prerequisite("reference").mean)
    return {"distance": Estimate(abs(float(view.codes("z1").mean.mean()) - reference))}


RATE = Quantity(name="rate", unit="nats", goal="none", family=":rates")
HALF_RATE = Quantity(name="half_rate", unit="nats", goal="none", family=":rates")
FATAL = Quantity(name="fatal", unit="nats", goal="none", family=":fatal")
LOSING = Quantity(name="losing", unit="nats", goal="none", family=":losing")
MEAN = Quantity(name="mean", unit="pixels", goal="none", family=":means")
DISTANCE = Quantity(name="distance", unit="pixels", goal="minimise", family=":distances", prerequisites=":references")


def trial(number, *, steps=32, rate=0.05, model=None, ema=None, seed=0, **moods):
    training = Training(steps=steps, batch_size=32, optimiser=Adam(learning_rate=rate), ema=ema)
    return Trial(
        data=Points(), model=model or Shift(), objective=Moody(number=number, **moods), training=training, seed=seed
    )


calm = Study(
    name="toy/calm",
    question="Does everything arrive?",
    base=trial(1.0, steps=128, pause=0.02),
    axes=axis("objective.number", [1.0 + number / 8 for number in range(TRIALS)]),
    quantities=(RATE,),
)
doomed = Study(
    name="toy/doomed",
    question="What becomes of what was trained?",
    base=trial(1.0, steps=64, rate=0.2),
    axes=axis("objective.number", [1.0, 2.0, 8.0, 3.0]),
    quantities=(RATE, FATAL),
)
hopeless = Study(
    name="toy/hopeless",
    question="Does anybody notice?",
    base=trial(1.0, fault=RAISE),
    axes=axis("objective.number", [1.0 + number / 8 for number in range(TRIALS)]),
    quantities=(RATE,),
)
