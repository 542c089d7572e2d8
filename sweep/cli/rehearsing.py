"""`sweep rehearse`: a study's whole life on a simulated cluster and clock, before anything is spent on it."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sweep.cli import options, work
from sweep.cli.options import Parser, UsageError, Verbs
from sweep.exit_codes import SOME_FAILED

if TYPE_CHECKING:
    from results.store import ResultStore
    from studies.study import Study
    from studies.trial import Trial
    from sweep.estimate import Times
    from sweep.plan import StudyPlan
    from sweep.rehearsal.cluster import Cluster, Faults
    from sweep.rehearsal.report import Report
    from sweep.rehearsal.work import Work

NAMES = {"cpu": "worker", "cuda": "GPU"}
RATES = {
    "failures": ("deaths", "of attempts at a pack, whose worker dies"),
    "node-loss": ("node_loss", "of nodes that are lost within an hour, with all that runs there"),
    "errors": ("errors", "of trials that raise an exception, always"),
    "poisons": ("poisons", "of trials that kill their worker, always"),
    "divergences": ("divergences", "of trials whose loss becomes infinite"),
    "out-of-memory": ("out_of_memory", "of shapes whose packs do not fit a device"),
}


def add(verbs: Verbs[Parser]) -> None:
    """Declares rehearse."""
    rehearse = options.verb(
        verbs,
        "rehearse",
        rehearse_studies,
        help="what a launch on a cluster would come to, simulated",
        description="Runs the whole life of studies on a simulated cluster and clock: planned, packed, handed out and "
        "retried by the code of a launch, with rows in a real store of its own, and no network trained. Times come "
        "from the store, or are given. Tells how long it takes and costs, beside the least that it could take, and "
        "checks that every trial finished once, none lost and none doubled. The same seed gives the same rehearsal. "
        "Exit codes: 0 all as it should be, 3 a check failed (a trial lost or doubled, one blamed that killed no "
        "worker, a launch stopped because its first trials all failed alike) or a scenario took more than 1.1 times "
        "its lower bound, 2 bad input.",
        example="sweep rehearse digits/hvae --pack-seconds 90 --nodes 2 --gpus 4 --failures 0.05\n"
        "sweep rehearse hvae --nodes 4 --gpus 8 --node-loss 0.05 --price-per-hour 2.5\n"
        "sweep rehearse --scenario long-tail",
    )
    rehearse.add_argument("names", nargs="*", metavar="NAME", help="studies or papers, as in the other verbs")
    rehearse.add_argument("--scenario", metavar="NAME", help="one of the made-up studies that test the policy, or all")
    options.add_store(rehearse)
    options.add_selection(rehearse)
    _add_cluster(rehearse)
    _add_times(rehearse)
    for option, (_, told) in RATES.items():
        rehearse.add_argument(f"--{option}", type=_share, default=0.0, metavar="RATE", help=f"the share {told}")
    rehearse.add_argument("--seed", type=int, default=0, metavar="S", help="which trials, packs and hours are hit")
    options.add_json(rehearse)


def _add_cluster(parser: Parser) -> None:
    parser.add_argument("--nodes", type=options.whole, default=1, metavar="N", help="machines (default: 1)")
    parser.add_argument("--gpus", type=options.whole, metavar="G", help="GPUs of each (default: none, packs on CPUs)")
    parser.add_argument(
        "--cpus", type=options.whole, metavar="C", help="CPUs of each (default: this machine's, or 8 beside each GPU)"
    )
    parser.add_argument(
        "--away", type=_seconds, default=1800.0, metavar="S", help="seconds that a lost node stays away (default: 1800)"
    )
    parser.add_argument(
        "--price-per-hour", type=_seconds, metavar="PRICE", help="of one GPU, or of one CPU where there are none"
    )
    parser.add_argument("--pack", type=options.whole, metavar="W", help="train W trials together, as in launch")
    parser.add_argument("--evaluate", choices=("within", "apart"), help="as in launch")


def _add_times(parser: Parser) -> None:
    parser.add_argument("--pending", action="store_true", help="only what the store lacks (default: the whole study)")
    parser.add_argument(
        "--pack-seconds", type=_seconds, metavar="S", help="to train a whole pack, in place of the store's"
    )
    parser.add_argument("--step-seconds", type=_seconds, metavar="S", help="for one training step of a pack, likewise")
    parser.add_argument("--evaluate-seconds", type=_seconds, metavar="S", help="to evaluate one trial, likewise")
    parser.add_argument(
        "--checkpoint-seconds", type=_seconds, default=60.0, metavar="S", help="as in launch (default: 60)"
    )


def _share(text: str) -> float:
    return _number(text, lambda value: 0 <= value < 1, "a share from 0 and below 1")


def _seconds(text: str) -> float:
    return _number(text, lambda value: 0 < value < float("inf"), "a number above 0")


def _number(text: str, good: Callable[[float], bool], told: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not good(value):
        raise argparse.ArgumentTypeError(f"{told}, not {text!r}")
    return value


def rehearse_studies(namespace: argparse.Namespace) -> int:
    """The verb `rehearse`."""
    if namespace.scenario is not None:
        return _scenarios(namespace)
    if not namespace.names:
        raise UsageError("name a study, or give --scenario NAME")
    if namespace.pack_seconds and namespace.step_seconds:
        raise UsageError("--pack-seconds is for all steps of a pack, --step-seconds for one; give one of them")
    report, studies = _rehearsed(namespace)
    device = "cuda" if namespace.gpus else "cpu"
    price = namespace.price_per_hour
    if namespace.json:
        record = report.record() | {"studies": [study.name for study in studies]}
        options.print_json(record | ({} if price is None else {"cost": cost_of(report, device, price)}))
    else:
        print(", ".join(study.name for study in studies))
        print("\n".join(report_lines(report, device, price)))
    return 0 if report.sound else SOME_FAILED


def _rehearsed(namespace: argparse.Namespace) -> tuple[Report, list[Study]]:
    from sweep.launch import Options
    from sweep.plan import plan_study
    from sweep.rehearsal.life import rehearse
    from sweep.rehearsal.work import Work

    studies = [entry.study for entry in options.entries(namespace)]
    store = options.open_store_if_any(namespace)
    cluster, faults = _cluster(namespace), _faults(namespace)
    launched = Options(device="cuda" if namespace.gpus else "cpu", evaluate=namespace.evaluate)
    plans = [plan_study(study, store if namespace.pending else None) for study in studies]

    def made(times: Times) -> Work:
        elsewhere, width = launched.elsewhere, namespace.pack
        return Work.of(
            plans, store, times, device=launched.device, width=width, elsewhere=elsewhere, slots=cluster.slots
        )

    times = _times(namespace, made, plans, store, launched.apart)
    return rehearse(made(times), times, cluster, faults, checkpoint_seconds=namespace.checkpoint_seconds), studies


def _times(
    namespace: argparse.Namespace,
    made: Callable[[Times], Work],
    plans: Sequence[StudyPlan],
    store: ResultStore | None,
    apart: Callable[[Trial], bool],
) -> Times:
    """Times as given, or as the store has them."""
    from sweep.estimate import Spent, Times, times_from
    from sweep.plan import trials_of

    given, step, evaluate = namespace.pack_seconds, namespace.step_seconds, namespace.evaluate_seconds
    if not given and not step:
        times = times_from(store, trials_of(plans), apart)
        return times if evaluate is None else dataclasses.replace(times, evaluation={}, otherwise=evaluate)
    times = Times(apart=apart, otherwise=evaluate or 0.0)
    for pack in (job.pack for job in made(times).jobs if job.pack.task == "train"):
        took = given or step * pack.trials[0].training.steps
        each = took / pack.decision.width if given else took  # steps in sequence are of one trial
        spent = Spent(fused={pack.decision.width: took}, alone=each, basis="given")
        times = times.with_spent(pack.decision.shape, pack.decision.device, spent)
    return times


def _cluster(namespace: argparse.Namespace) -> Cluster:
    from sweep.rehearsal.cluster import Cluster, Node

    if namespace.gpus:
        cpus = namespace.cpus or 8 * namespace.gpus
        slots = {"cuda": namespace.gpus, "cpu": max(1, cpus - namespace.gpus)}
    else:
        slots = {"cpu": namespace.cpus or os.cpu_count() or 1}
    return Cluster(nodes=(Node(slots=slots),) * namespace.nodes, away=namespace.away)


def _faults(namespace: argparse.Namespace) -> Faults:
    from sweep.rehearsal.cluster import Faults

    rates = {field: getattr(namespace, option.replace("-", "_")) for option, (field, _) in RATES.items()}
    return Faults(seed=namespace.seed, **rates)


def _scenarios(namespace: argparse.Namespace) -> int:
    from sweep.rehearsal.scenarios import LIMIT, SCENARIOS, scenario

    if namespace.names:
        raise UsageError("--scenario brings its own study; name a study or a scenario")
    chosen = list(SCENARIOS.values()) if namespace.scenario == "all" else [scenario(namespace.scenario)]
    reports = {one.name: one.run() for one in chosen}
    if namespace.json:
        options.print_json({name: report.record() for name, report in reports.items()})
    else:
        for one in chosen:
            print(f"{one.name}: {one.about}")
            print("\n".join(report_lines(reports[one.name], "cuda", namespace.price_per_hour)))
            if reports[one.name].ratio > LIMIT:
                print(f"  {'limit':13} more than {LIMIT:.2f} times the lower bound")
            if one.note:
                print(f"  {'note':13} {one.note}")
    return 0 if all(report.sound and report.ratio <= LIMIT for report in reports.values()) else SOME_FAILED


def cost_of(report: Report, device: str, price: float) -> float:
    """What the cluster costs: every device from the first pack to the last, but while its node was away."""
    return price * (report.slots[device] * report.makespan / 3600 - report.away.get(device, 0.0))


def report_lines(report: Report, device: str, price: float | None) -> list[str]:
    """A rehearsal as one reads it."""
    from sweep.progress.drawing import duration

    statuses = ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in sorted(report.statuses.items()))
    name, used, lost = NAMES[device], report.hours.get(device, 0.0), report.lost.get(device, 0.0)
    share = f" ({report.picture / report.makespan:.0%})" if report.picture and report.makespan else ""
    what = {"nodes_lost": "node lost", "lost_with_node": "pack lost with its node", "died": "worker died"}
    inside = {"out_of_memory": "pack did not fit", "narrowed": "pack narrowed before it ran", "error": "pack raised"}
    told = [f"{report.attempts[key]:,} × {words}" for key, words in what.items() if report.attempts.get(key)]
    told += [f"{report.kinds[key]:,} × {words}" for key, words in inside.items() if report.kinds.get(key)]
    slots = work.counted(report.slots[device], name)
    rows = {
        "trials": f"{report.trials:,} in {work.counted(report.packs, 'pack')}: {statuses}",
        "makespan": f"{duration(report.makespan)} on {slots}, {report.ratio:.2f} times "
        f"its lower bound of {duration(report.bound.seconds)} (by {report.bound.reason})",
        "first picture": "never whole" if report.picture is None else f"after {duration(report.picture)}{share}",
        f"{name}-hours": f"{used:.1f} used, of these {lost:.1f} in vain; utilisation {report.utilisation[device]:.0%}",
        "attempts": f"{report.attempts.get('started', 0):,} at packs" + (f": {', '.join(told)}" if told else ""),
    }
    if price is not None:
        rows["cost"] = f"{cost_of(report, device, price):,.2f}, of these {price * lost:,.2f} in vain"
    if report.halted:
        rows["halted"] = f"the trials that ended first all failed alike: {report.halted}"
    if report.innocents:
        rows["innocent"] = f"{work.counted(report.innocents, 'trial')} marked as crashed, and killed no worker"
    rows["checked"] = "; ".join(report.wrong) or "every trial ended, none finished twice, none is lost"
    return [f"  {key:13} {text}" for key, text in rows.items()]
