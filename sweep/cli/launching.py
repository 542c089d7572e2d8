"""`sweep launch` and `sweep evaluate`: the verbs that compute."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sweep.cli import fetching, limits, options, summary, work
from sweep.cli.options import Parser, UsageError, Verbs
from sweep.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from results.store import ResultStore
    from studies.catalogue import Entry
    from studies.trial import Trial
    from sweep.executor import Executor
    from sweep.launch import Options
    from sweep.pack_queue import PackQueue
    from sweep.plan import StudyPlan


def add(verbs: Verbs[Parser]) -> None:
    """Declares launch and evaluate."""
    launch = options.verb(
        verbs,
        "launch",
        launch_studies,
        help="train and evaluate what is pending",
        description="Trains and evaluates the trials that are not in the store yet, on all cores or GPUs of this "
        "machine or on a Ray cluster. The same command again resumes: it does what is still missing, and goes on "
        "inside a pack where a checkpoint was left. Ctrl-C or SIGTERM stop it cleanly. Exit codes: 0 all finished, 3 "
        "some trials failed, 75 interrupted and resumable, 2 bad input. A worker that finds the disk full, or the "
        "files of a data set missing, stops the launch with 75 too: that is no failure of a trial.",
        example="sweep launch digits@small\nsweep launch digits/hvae --seeds 3 --store /data/runs\n"
        "sweep launch path/to/file.py:my_study --executor local",
    )
    options.add_names(launch)
    options.add_store(launch)
    options.add_selection(launch)
    options.add_data(launch)
    work.add_work(launch)
    launch.add_argument(
        "--calibrate",
        action="store_true",
        help="measure how the trials are best packed on this machine, where the store has no decision yet",
    )
    launch.add_argument(
        "--checkpoint-seconds",
        type=_seconds,
        default=60.0,
        metavar="S",
        help="a pack that trains longer than this saves a checkpoint, and another after as long again (default: 60)",
    )
    launch.add_argument(
        "--evaluate",
        choices=("within", "apart"),
        help="within: a pack evaluates what it has trained; apart: it stores what it has trained, which other packs "
        "then evaluate on CPUs while the next is trained (default: apart on cuda, but for models that sample pixel by "
        "pixel, and within on cpu)",
    )
    _add_executor(launch)
    limits.add_limits(launch)
    launch.add_argument(
        "--force",
        action="store_true",
        help="launch although another launch is at work on a study: both may do the same, nothing is lost or doubled",
    )
    evaluate = options.verb(
        verbs,
        "evaluate",
        evaluate_studies,
        help="measure what finished trials lack, without training",
        description="Measures, from stored weights and without training, the quantities of the studies that finished "
        "trials lack: new ones, or new versions of old ones. What is measured is added; nothing is replaced. Only "
        "prerequisites that a quantity needs, such as a classifier of the images, are trained where they are missing.",
        example="sweep evaluate digits/hvae\nsweep evaluate digits --quantity psnr --force",
    )
    options.add_names(evaluate)
    options.add_store(evaluate)
    options.add_selection(evaluate)
    options.add_data(evaluate)
    evaluate.add_argument(
        "--quantity",
        action="append",
        default=[],
        metavar="QUANTITY",
        help="only this quantity; may be given again (default: all of the studies)",
    )
    evaluate.add_argument("--force", action="store_true", help="measure again what has been measured")
    work.add_retry(
        evaluate,
        "measure again what could not be measured: of all trials, or where these words are in the reason",
    )
    evaluate.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to evaluate")
    _add_executor(evaluate)
    limits.add_limits(evaluate)


def _add_executor(parser: Parser) -> None:
    parser.add_argument(
        "--executor",
        choices=("ray", "local"),
        default="ray",
        help="ray (the default): by Ray Tune, on all cores and GPUs; local: in this process, one pack after another",
    )
    parser.add_argument(
        "--address",
        metavar="ADDR",
        help="the Ray cluster to use, host:port, or auto on one of its nodes (default: one started here)",
    )


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"a number of seconds above 0, not {text!r}")
    return value


def launch_studies(namespace: argparse.Namespace) -> int:
    """The verb `launch`."""
    from sweep.launch import Options

    if namespace.calibrate and namespace.pack is not None:
        raise UsageError("--pack W sets the width that --calibrate would measure; give one of them")
    executor = _executor(namespace)
    with _stopping_on_sigterm(), options.data_from(namespace), contextlib.ExitStack() as connection:
        entries = options.entries(namespace)
        device = _device(namespace, connection)
        store = options.open_store_for_writing(namespace)
        chosen = Options(
            device=device,
            evaluate=namespace.evaluate,
            width=namespace.pack,
            retry=work.retried(namespace, entries, store),
            calibrate=namespace.calibrate,
            checkpoint_seconds=namespace.checkpoint_seconds,
            resources=limits.resources_from(namespace),
            seconds=namespace.budget,
            hang_seconds=namespace.hang_limit,
            first_failures=namespace.first_failures,
            beside=namespace.force,
        )
        return _launch(namespace, entries, store, chosen, executor)


def evaluate_studies(namespace: argparse.Namespace) -> int:
    """The verb `evaluate`."""
    from sweep.launch import Options

    executor = _executor(namespace)
    with _stopping_on_sigterm(), options.data_from(namespace), contextlib.ExitStack() as connection:
        entries = options.entries(namespace)
        _check_quantities(namespace.quantity, entries)
        options.open_existing_store(namespace)  # there is nothing to evaluate in a store that would be made now
        store = options.open_store_for_writing(namespace)
        device = _device(namespace, connection)
        chosen = Options(
            device=device,
            evaluate="within",
            retry=work.retried(namespace, entries, store),
            train=False,
            quantities=tuple(namespace.quantity),
            force=namespace.force,
            resources=limits.resources_from(namespace),
            seconds=namespace.budget,
            hang_seconds=namespace.hang_limit,
            first_failures=namespace.first_failures,
            beside=True,
        )
        return _launch(namespace, entries, store, chosen, executor)


def _check_quantities(names: Sequence[str], entries: Sequence[Entry]) -> None:
    from models.spec import nearest

    known = {quantity.name for entry in entries for quantity in entry.study.quantities}
    for name in names:
        if name not in known:
            studies = ", ".join(entry.study.name for entry in entries)
            raise UsageError(f"no quantity {name!r} in {studies}; {nearest(name, known)}")


def _launch(
    namespace: argparse.Namespace, entries: Sequence[Entry], store: ResultStore, chosen: Options, executor: Executor
) -> int:
    from results.files import StoreError
    from sweep.executor import ExecutorError
    from sweep.launch import Launch
    from sweep.launches import live_launches, where
    from sweep.progress.display import watch
    from sweep.sources import other_source

    launch = Launch(entries, store, chosen)
    options.note_damaged(store)
    for entry, plan in zip(launch.entries, launch.plans, strict=True):
        print(_plan_line(plan, chosen))
        made = other_source(entry, store)
        if made is not None:
            print(f"sweep: note: {plan.study.name}: {made}", file=sys.stderr)
    needs = work.prerequisite_records(launch.prerequisites.values())
    if needs:
        print("\n".join([f"{work.counted(len(needs), 'prerequisite')}:", *work.prerequisite_lines(needs, "  ")]))
    if launch.idle:
        return summary.nothing_to_do(launch, namespace)
    if launch.check_alone():  # what another launch has done meanwhile is not done again
        return _launch(namespace, entries, store, chosen, executor)
    for other in live_launches(store).values():
        note = f"another launch is at work on this store ({where(other)}); both may do the same"
        print(f"sweep: note: {note}", file=sys.stderr)
    sys.stdout.flush()
    fetching.provide_all(trial.data for plan in launch.plans for trial in _to_do(plan, chosen))
    begun: list[bool] = []

    @contextlib.contextmanager
    def shown(queue: PackQueue) -> Iterator[None]:
        begun.append(True)
        with watch(queue, store, sys.stderr):
            yield

    try:
        outcome = launch.run(executor, shown)
    except (StoreError, ExecutorError) as error:
        if not begun:
            raise
        print(f"sweep: error: stopped: {launch.queue.fault or error}", file=sys.stderr)
        return INTERRUPTED
    return summary.summarise(launch, outcome, namespace)


def _to_do(plan: StudyPlan, chosen: Options) -> list[Trial]:
    """The trials that this launch computes with: those to train, and the finished ones to measure."""
    to_train = plan.pending if chosen.train else ()
    to_measure = (trial for trial in plan.finished if trial.id in plan.unevaluated)
    needs = (one.trial for one in plan.prerequisites if one.state == "pending" or one.lacking)
    return [*to_train, *to_measure, *needs]


def _plan_line(plan: StudyPlan, chosen: Options) -> str:
    counts = [f"{len(plan.finished):,} finished"]
    if plan.failed:
        counts.append(f"{len(plan.failed):,} failed")
    counts.append(f"{len(plan.pending):,} pending")
    if plan.retried:
        counts[-1] += f" ({plan.retried:,} failed before)"
    if plan.unevaluated:
        counts.append(f"{len(plan.unevaluated):,} to evaluate")
    reduced = f" ({plan.study.reduced})" if plan.study.reduced else ""
    return f"{plan.study.name}{reduced}: {work.enumeration(plan)}: {', '.join(counts)}"


def _executor(namespace: argparse.Namespace) -> Executor:
    if namespace.executor == "local":
        if namespace.address:
            raise UsageError("--address names a Ray cluster, and --executor local uses none")
        from sweep.local_executor import LocalExecutor

        return LocalExecutor()
    from sweep.on_ray.executor import RayExecutor

    return RayExecutor(namespace.address, most=namespace.max_concurrent, gpu_memory=dict(namespace.gpu_memory))


def _device(namespace: argparse.Namespace, connection: contextlib.ExitStack) -> str:
    """'cpu' or 'cuda'; where a cluster is named and may choose, what that has, told by it once `connection` stands."""
    if not namespace.address or namespace.device != "auto":
        return work.device_of(namespace)
    from sweep.on_ray.executor import RayExecutor

    return "cuda" if connection.enter_context(RayExecutor(namespace.address)).has_gpus else "cpu"


@contextlib.contextmanager
def _stopping_on_sigterm() -> Iterator[None]:
    """SIGTERM ends the command as Ctrl-C does; while packs run, the launch has its own, gentler answer to both."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
