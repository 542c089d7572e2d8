"""The arguments that say what a launch may take: of each node, of a cluster and of time."""

from __future__ import annotations

import argparse
import math
import re
from typing import TYPE_CHECKING

from sweep.cli.options import Parser, whole
from sweep.failures import FIRST_FAILURES

if TYPE_CHECKING:
    from sweep.resources import Resources

_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZES |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def add_limits(parser: Parser) -> None:
    """The arguments, for `resources_from` and for the launch's options."""
    group = parser.add_argument_group("what it may take")
    group.add_argument(
        "--gpus-per-pack",
        type=_gpus,
        default=1.0,
        metavar="G",
        help="GPUs that a pack on CUDA takes; 0.25 puts four packs on one, each sized for a quarter of its memory "
        "(default: 1)",
    )
    group.add_argument(
        "--cpus-per-pack",
        type=_amount,
        default=1.0,
        metavar="C",
        help="CPUs that a pack takes, for placement: it computes with the threads of its decision (default: 1)",
    )
    group.add_argument(
        "--memory-per-pack",
        type=size,
        default=0,
        metavar="SIZE",
        help="memory of the host that a pack takes, such as 4GiB: so many packs are placed as have room (default: any)",
    )
    group.add_argument(
        "--gpu-memory",
        type=_gpu_memory,
        action="append",
        default=[],
        metavar="TYPE=SIZE",
        help="memory of one GPU of a type, by Ray's name for it (A100=40GiB), in place of what a worker finds; may be "
        "given again. Packs are made as narrow as the memory of their GPU needs, by what has been seen to fit",
    )
    group.add_argument("--max-concurrent", type=whole, metavar="N", help="packs at once, at most (default: any number)")
    group.add_argument(
        "--for",
        dest="budget",
        type=duration,
        default=0.0,
        metavar="TIME",
        help="stop after 8h, 90m or 1h30m, resumably: what runs saves a checkpoint, and the same command goes on",
    )
    group.add_argument(
        "--hang-limit",
        type=duration,
        default=3600.0,
        metavar="TIME",
        help="end a worker that shows no sign of life, no step and no evaluated trial, for so long, 0s for never; its "
        "pack runs again, and a trial that hangs thrice has timed out (default: 1h)",
    )
    group.add_argument(
        "--first-failures",
        type=_count,
        default=FIRST_FAILURES,
        metavar="N",
        help=f"stop where the first N trials that end all fail for one reason; 0 for never (default: {FIRST_FAILURES})",
    )


def resources_from(namespace: argparse.Namespace) -> Resources:
    """What each pack takes."""
    from sweep.resources import Resources

    return Resources(cpus=namespace.cpus_per_pack, gpus=namespace.gpus_per_pack, memory=namespace.memory_per_pack)


def duration(text: str) -> float:
    """Seconds, from '8h', '1h30m', '45s'."""
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*(min|[smhd])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        raise argparse.ArgumentTypeError(f"a time such as 8h, 90m or 1h30m, not {text!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def size(text: str) -> int:
    """Bytes, from '4GiB', '500MB' or a plain number."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text)
    if found is None or found[2] not in _SIZES:
        raise argparse.ArgumentTypeError(f"a size such as 4GiB or 500MB, not {text!r}")
    return int(float(found[1]) * _SIZES[found[2]])


def _gpu_memory(text: str) -> tuple[str, int]:
    kind, equals, amount = text.partition("=")
    if not kind or not equals:
        raise argparse.ArgumentTypeError(f"a type of GPU and its memory, such as A100=40GiB, not {text!r}")
    return kind, size(amount)


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"a number above 0, not {text!r}")
    return value


def _gpus(text: str) -> float:
    value = _amount(text)
    if value > 1 and value != int(value):
        raise argparse.ArgumentTypeError(f"a part of a GPU, or a whole number of them, not {text!r}")
    return value


def _count(text: str) -> int:
    return 0 if text == "0" else whole(text)
