# What follows stands, in a user's file, after the toy study: a door for faults that cannot be had from outside, and the
# study that they meet. FAULTS is a folder: whoever finds and removes a file there has the fault that it is named after.
# While a file "held" stands beside it a step takes HELD seconds longer, lest the study be done before its faults come.

import os
import threading
import time

FAULTS = ""
HELD = 0.4
SLOW = (
    0.02  # seconds that each flush to the disk takes longer, as of a store on a network: commits are long enough to hit
)


def taken(kind, path=""):
    """Whether there was such a fault for us; what was taken is told beside."""
    with os.scandir(FAULTS) as found:
        names = [entry.name for entry in found if entry.name.startswith(kind)]
    for name in names:
        try:
            os.unlink(os.path.join(FAULTS, name))
        except FileNotFoundError:  # somebody else's
            continue
        with open(os.path.join(os.path.dirname(FAULTS), "taken.txt"), "a") as file:
            file.write(f"{kind} {os.getpid()} {path}\n")
        return True
    return False


_calm_act = act


def act(seen, width, *numbers):
    import torch

    if FAULTS and width > 1 and taken("memory"):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    if FAULTS and os.path.exists(os.path.join(os.path.dirname(FAULTS), "held")):
        time.sleep(HELD / width)  # here once for each trial of the pack
    _calm_act(seen, width, *numbers)


def _flush(descriptor):
    """os.fsync, of files of the store slower, told of in a file beside, and sometimes with a fault."""
    path = os.readlink(f"/proc/self/fd/{descriptor}")
    home = os.path.dirname(FAULTS)
    if not path.startswith(home):
        return _fsync(descriptor)
    if "RATESWEEP_STORM_CALM" not in os.environ:
        for kind, number in (("flaky", 5), ("full", 28)):  # EIO, ENOSPC
            if taken(kind, path):
                raise OSError(number, os.strerror(number))
    told = os.path.join(home, "flushing", f"{os.getpid()}-{threading.get_ident()}")
    with open(told, "w") as file:
        file.write(path)
    time.sleep(SLOW)
    try:
        return _fsync(descriptor)
    finally:
        os.unlink(told)


if FAULTS and os.fsync.__name__ == "fsync":  # once a process, whatever copies of this file it loads
    _fsync = os.fsync
    os.fsync = _flush


def _objectives():
    """18 of one shape, trained together: one diverges, and one raises an exception."""
    calm = [Moody(number=1.0 + number / 8, pause=0.02) for number in range(16)]
    return [
        *calm,
        Moody(number=4.0, pause=0.02, diverges=40.0),
        Moody(number=5.0, pause=0.02, fault=RAISE, at=50.0),
    ]


def _stormy(steps, model, objectives):
    from studies.axes import axis, product

    return product(
        axis("training.steps", [steps]),
        axis("model", [model], labels=[type(model).__name__]),
        axis("objective", objectives, labels=[f"{one.number:g}{'!' * int(one.fault)}" for one in objectives]),
    )


def _stormy_axes():
    """44 trials of ten shapes: packs of 18, 6 and 2, and of 4 and 2 one after another; one trial kills its worker."""
    from studies.axes import union

    poison = [Moody(number=6.0, pause=0.02), Moody(number=9.0, pause=0.02, fault=EXIT)]
    pair = [Moody(number=3.0 + number / 8, pause=0.02) for number in range(2)]
    slow = [Moody(number=1.0 + number / 8, pause=0.01) for number in range(6)]
    return union(
        _stormy(128, Shift(), _objectives()),
        _stormy(96, Shift(), [Moody(number=2.0 + number / 8, pause=0.02) for number in range(6)]),
        _stormy(64, SlowShift(), slow),
        _stormy(48, Shift(), poison),
        *(_stormy(steps, Shift(), pair) for steps in range(20, 44, 4)),
    )


stormy = Study(
    name="toy/stormy",
    question="Does everything arrive in a storm?",
    base=trial(1.0),
    axes=_stormy_axes(),
    quantities=(RATE,),
)
