"""How `launch` and `evaluate` end: what came out, where it is, and what to do next."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import TYPE_CHECKING

from sweep.cli import work
from sweep.exit_codes import INTERRUPTED, SOME_FAILED

if TYPE_CHECKING:
    from sweep.launch import Launch, Outcome

BUG = "sweep: this is a bug in ratesweep; please report it with the lines above"
_WEIGHTLESS = "quantities are lacking, and the weights to measure them from are gone"


def nothing_to_do(launch: Launch, namespace: argparse.Namespace) -> int:
    """Says why a launch has nothing to do; returns the exit code."""
    failed = sum(len(plan.failed if launch.options.train else plan.unmeasured) for plan in launch.plans)
    weightless = sum(plan.weightless for plan in launch.plans)
    if failed:
        print(f"nothing to do: {work.counted(failed, 'trial')} failed, and --retry-failed was not given")
        _print_failures(launch)
    if weightless:
        print(f"nothing to do for {work.counted(weightless, 'trial')}: {_WEIGHTLESS}")
    needs = [one for one in launch.prerequisites.values() if one.state == "failed"]
    if needs:
        print(
            f"nothing to do for {work.counted(len(needs), 'prerequisite')} that failed (--retry-failed was not given)"
        )
    if failed or weightless or needs:
        return SOME_FAILED
    if launch.options.train:
        print("nothing to do: all trials are finished")
        print(f"next: {_report(namespace)}")
    else:
        print("nothing to do: no finished trial lacks a quantity")
    return 0


def summarise(launch: Launch, outcome: Outcome, namespace: argparse.Namespace) -> int:
    """Says what came out of a launch; returns the exit code."""
    code = outcome.exit_code
    if not launch.options.train and code == SOME_FAILED:
        lacking = any(plan.unevaluated or plan.weightless or plan.unmeasured for plan in outcome.plans)
        lacking |= any(one.state == "failed" for plan in outcome.plans for one in plan.prerequisites)
        code = SOME_FAILED if lacking else 0  # trials that are not trained are none of this verb's business
    for plan in outcome.plans:
        parts = [f"{len(plan.finished):,} of {work.counted(plan.trials, 'trial')} finished"]
        if plan.failed:
            parts.append(f"{len(plan.failed):,} failed")
        if plan.pending:
            parts.append(f"{len(plan.pending):,} pending")
        if plan.unevaluated:
            parts.append(f"{len(plan.unevaluated):,} lack quantities")
        print(f"{plan.study.name}: {', '.join(parts)}")
        if plan.weightless:
            print(f"  {plan.weightless:,} of them: {_WEIGHTLESS}")
    needs = {one.trial.id: one for plan in outcome.plans for one in plan.prerequisites if one.state != "finished"}
    for line in work.prerequisite_lines(work.prerequisite_records(needs.values()), "prerequisite: "):
        print(line)
    _print_failures(launch)
    print(f"store: {launch.store.files}")
    sys.stdout.flush()
    if outcome.traceback:
        print(f"{outcome.traceback.rstrip()}\n{BUG}", file=sys.stderr)
    if outcome.fault:
        print(f"sweep: error: stopped: {outcome.fault}", file=sys.stderr)
    if outcome.halted:
        told = "stopped: the trials that ended first all failed alike, and so the rest was not begun"
        print(f"sweep: error: {told}: {outcome.halted}", file=sys.stderr)
    if code == INTERRUPTED:
        print(f"{'interrupted' if outcome.interrupted else 'stopped'}; to resume: {_again(namespace)}")
    elif code == SOME_FAILED:
        failed = any(plan.failed if launch.options.train else plan.unmeasured for plan in outcome.plans)
        failed |= any(one.state == "failed" for one in needs.values())
        if failed or any(plan.unevaluated or (launch.options.train and plan.pending) for plan in outcome.plans):
            print(f"to try again: {_again(namespace, '--retry-failed') if failed else _again(namespace)}")
    elif code == 0:
        print(f"next: {_report(namespace)}")
    return code


def _print_failures(launch: Launch) -> None:
    from sweep.cli.standing import failure_lines, standing

    for entry in launch.entries:
        found = standing(entry.study, launch.store)
        lines = failure_lines((*found.failures, *found.divergences), "  ")
        if lines:
            print("\n".join([f"{entry.study.name}: not completed", *lines]))


def _again(namespace: argparse.Namespace, *more: str) -> str:
    """The same command, with options more where it has them not; --force was for the launch that has been."""
    words = [word for word in namespace.arguments if word != "--force"]
    given = {word.partition("=")[0] for word in words}
    return shlex.join(["sweep", *words, *(option for option in more if option not in given)])


def _report(namespace: argparse.Namespace) -> str:
    """A report of the same studies in the same store."""
    words = ["sweep", "report", *namespace.names]
    for condition in namespace.where:
        words += ["--where", condition]
    for setting in namespace.assign:
        words += ["--set", setting]
    if namespace.seeds is not None:
        words += ["--seeds", str(namespace.seeds)]
    if namespace.store:
        words += ["--store", namespace.store]
    return shlex.join(words)
