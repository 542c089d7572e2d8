"""`sweep recipe`: a batch script for Slurm or a manifest for KubeRay that ends in the same launch."""

from __future__ import annotations

import argparse
import re
import shlex
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.cli import options
from sweep.cli.forwarding import (
    add_launch_arguments,
    by_base_name,
    everywhere,
    forwarded,
    note_own_options,
    own_files,
    renamed,
)
from sweep.cli.options import Parser, UsageError, Verbs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TIME = re.compile(r"\d+(-\d+(:\d+){0,2}|(:\d+){0,2})")
_QUANTITY = re.compile(r"\d+(\.\d+)?([EPTGMk]|[EPTGMK]i)?")
_KUBERNETES = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LONGEST = 40


def add(verbs: Verbs[Parser]) -> None:
    """Declares the verb, with the arguments of `sweep launch`, whatever they are."""
    parser = options.verb(
        verbs,
        "recipe",
        write_recipe,
        help="a batch script for Slurm or a manifest for KubeRay",
        description="Prints a batch script for Slurm (sbatch) or a RayJob for Kubernetes with KubeRay (kubectl "
        "create), ready to be handed in: it starts Ray on the nodes and runs `sweep launch` with the arguments given "
        "here. On Slurm the launch stops resumably before the time limit and goes back into the queue; on Kubernetes "
        "an interrupted launch resumes in a new cluster.",
        example="sweep recipe slurm digits --store /shared/runs --nodes 4 --gpus 8 --time 24:00:00 --out job.sh\n"
        "sweep recipe kuberay digits --store s3://bucket/runs --image registry/ratesweep --nodes 4 --gpus 1",
    )
    parser.add_argument("kind", choices=("slurm", "kuberay"), help="for which system")
    add_launch_arguments(verbs, parser)
    parser.add_argument(
        "--nodes", type=options.whole, default=1, metavar="N", help="nodes, or worker pods (default: 1)"
    )
    parser.add_argument("--gpus", type=_count, default=0, metavar="G", help="GPUs of each (default: 0)")
    parser.add_argument(
        "--job-name", type=_kubernetes, metavar="NAME", help="the job's name (default: made of the names)"
    )
    parser.add_argument("--out", metavar="FILE", help="write into a file")
    slurm = parser.add_argument_group("slurm")
    slurm.add_argument("--time", type=_time, metavar="T", help="the time limit (default: 24:00:00)")
    slurm.add_argument("--partition", metavar="P", help="the partition")
    slurm.add_argument("--account", metavar="A", help="the account")
    slurm.add_argument("--setup", action="append", metavar="LINE", help="a line to run first: 'module load cuda'")
    kuberay = parser.add_argument_group("kuberay")
    kuberay.add_argument("--image", metavar="IMAGE", help="an image with Ray and ratesweep; must be given")
    kuberay.add_argument("--cpus", type=options.whole, metavar="N", help="CPUs of each worker (default: 4)")
    kuberay.add_argument("--memory", type=_quantity, metavar="M", help="memory of each worker (default: 16Gi)")
    kuberay.add_argument("--secret", type=_kubernetes, metavar="NAME", help="environment variables: a bucket's keys")
    kuberay.add_argument(
        "--claim", action="append", type=_claim, metavar="NAME:PATH", help="a shared volume claim, and where it is seen"
    )
    kuberay.add_argument("--retries", type=_count, metavar="N", help="further clusters to resume in (default: 6)")
    note_own_options(verbs, parser)
    parser.set_defaults(alone={group.title: group._group_actions for group in (slurm, kuberay)})


def write_recipe(namespace: Namespace) -> int:
    """The verb `recipe`."""
    for kind, actions in namespace.alone.items():
        for action in actions:
            if kind != namespace.kind and getattr(namespace, action.dest) is not None:
                raise UsageError(f"{action.option_strings[0]} is for {kind}, not for {namespace.kind}")
    studies = sorted(entry.study.name for entry in options.entries(namespace))
    store = everywhere(namespace)
    text = _slurm(namespace, studies) if namespace.kind == "slurm" else _kuberay(namespace, studies, store)
    if namespace.out is None:
        print(text, end="")
    else:
        try:
            Path(namespace.out).write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {namespace.out}: {error.strerror}") from None
        hand_in = "sbatch" if namespace.kind == "slurm" else "kubectl create -f"
        print(f"{namespace.out}\nnext: {hand_in} {shlex.quote(namespace.out)}")
    return 0


def _command(namespace: Namespace, place: Callable[[Path], str]) -> list[str]:
    """The launch, as on the head, where users' own files are found at the paths that `place` says."""
    words = list(forwarded(namespace, renamed(namespace, place)))
    words.remove(namespace.kind)
    if namespace.gpus and namespace.device == "auto":
        words += ["--device", "cuda"]  # nodes with GPUs may come after the launch has begun
    return ["python", "-m", "sweep", "launch", *words, "--address", "auto"]


def _made_by(namespace: Namespace) -> str:
    return shlex.join(["sweep", *namespace.arguments])


def _slurm(namespace: Namespace, studies: Sequence[str]) -> str:
    from sweep.slurm import SlurmJob

    return SlurmJob(
        name=_name(namespace, studies),
        command=_command(namespace, lambda file: str(file.resolve())),
        made_by=_made_by(namespace),
        nodes=namespace.nodes,
        gpus=namespace.gpus,
        time=namespace.time or "24:00:00",
        partition=namespace.partition or "",
        account=namespace.account or "",
        setup=namespace.setup or (),
    ).script()


def _kuberay(namespace: Namespace, studies: Sequence[str], store: str) -> str:
    from sweep.kuberay import STUDIES, KubeRayJob

    if namespace.image is None:
        raise UsageError("a RayJob needs an image with Ray and ratesweep: --image")
    claims = dict(namespace.claim or ())
    if "://" not in store and not any(Path(store).is_relative_to(path) for path in claims.values()):
        raise UsageError(f"--store {store} would be lost with the pods: name a bucket, or a --claim NAME:PATH above it")
    return KubeRayJob(
        name=_name(namespace, studies),
        command=_command(namespace, lambda file: f"{STUDIES}/{file.name}"),
        made_by=_made_by(namespace),
        image=namespace.image,
        workers=namespace.nodes,
        gpus=namespace.gpus,
        cpus=namespace.cpus or 4,
        memory=namespace.memory or "16Gi",
        retries=6 if namespace.retries is None else namespace.retries,
        secret=namespace.secret or "",
        claims=claims,
        files={
            name: file.read_text(encoding="utf-8") for name, file in by_base_name(own_files(namespace).values()).items()
        },
    ).manifest()


def _name(namespace: Namespace, studies: Sequence[str]) -> str:
    """A name that Kubernetes and Slurm take."""
    if namespace.job_name is not None:
        return str(namespace.job_name)
    return f"sweep-{re.sub(r'[^a-z0-9]+', '-', '-'.join(studies).lower()).strip('-')[:_LONGEST].strip('-')}"


def _kubernetes(text: str) -> str:
    if not _KUBERNETES.fullmatch(text) or len(text) > _LONGEST + 6:
        raise argparse.ArgumentTypeError(f"a name of lower-case letters, digits and '-', not {text!r}")
    return text


def _claim(text: str) -> tuple[str, str]:
    name, _, path = text.partition(":")
    if not path.startswith("/"):
        raise argparse.ArgumentTypeError(f"NAME:/PATH, not {text!r}")
    return _kubernetes(name), path


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a whole number, not {text!r}")
    return int(text)


def _time(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"hours:minutes:seconds or days-hours, not {text!r}")
    return text


def _quantity(text: str) -> str:
    if not _QUANTITY.fullmatch(text):
        raise argparse.ArgumentTypeError(f"an amount as Kubernetes writes it, 16Gi, not {text!r}")
    return text
