"""run_pack: what a worker does with one pack: train, evaluate, commit. A failure becomes a row, never an exception."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from evaluation.measure import Value
from evaluation.view import PackView, View
from models.data.download import FOLDER_VARIABLE, MIRROR_VARIABLE, OFFLINE_VARIABLE, DataError
from models.training.memory import available_memory, out_of_memory, peak_memory
from models.training.precision import PrecisionError, check_precision
from models.training.problem import Member, Problem, build_problem, padded
from models.training.process import prepare
from models.training.state import PackState
from models.training.trainer import train
from results.commit import new_identity, now
from results.evaluations import reasons
from results.files import StoreError
from results.schema import EVALUATION_FAILED, FINISHED
from results.store import ResultStore
from studies.trial import Trial
from sweep.checkpoints import Checkpoints, Stopped
from sweep.evaluating import Prerequisites, evaluate, filled, load_prerequisites, stored_weights
from sweep.executor import ExecutorError
from sweep.failures import Fault, reason_of, traceback_of
from sweep.lost_device import end_if_device_is_lost, fault_of
from sweep.pack import Pack
from sweep.parting import parted
from sweep.pulse import Pulse
from sweep.rows import Attempt, curve_rows, curves_of, first_reason, kept_weights, trial_row, value_rows
from sweep.task import PackRecord, PackTask


def run_pack(task: PackTask) -> PackRecord:
    """Runs a pack to its commit, or to a checkpoint when asked to stop. Never raises."""
    begun = time.perf_counter()
    try:
        store = ResultStore.open(task.settings.store)
        pack = task.load()
        prepare_process(task)
        if pack.task == "train":
            check_precision(pack.trials[0].training.precision, torch.device(pack.decision.device))
        record = _Worker(task, pack, store).run()
    except (StoreError, DataError, ExecutorError, PrecisionError) as error:
        record = PackRecord(pack=task.pack, fault=str(error))
    except Exception as error:  # noqa: BLE001 - no trial's failure, so a bug: it is told at the launch, which ends
        record = PackRecord(pack=task.pack, traceback=traceback_of(error))
    return replace(record, seconds=time.perf_counter() - begun)


def prepare_process(task: PackTask) -> None:
    """Sets up this process; raises where the device that the pack was decided for is not here."""
    prepare(task.decision.threads)
    if task.settings.data:
        os.environ[FOLDER_VARIABLE] = task.settings.data
    if task.settings.offline:
        os.environ[OFFLINE_VARIABLE] = "1"
    if task.settings.mirror:
        os.environ[MIRROR_VARIABLE] = task.settings.mirror
    if task.decision.device == "cuda" and not torch.cuda.is_available():
        host = socket.gethostname()
        raise ExecutorError(f"the pack was decided for CUDA, and the worker on {host} has no CUDA device")


class _Worker:
    def __init__(self, task: PackTask, pack: Pack, store: ResultStore) -> None:
        self.task = task
        self.pack = pack
        self.store = store
        self.device = task.decision.device
        self.pulse = Pulse(task, pack, store)
        self.unfit: list[int] = []

    @functools.cached_property
    def prerequisites(self) -> Prerequisites:
        return load_prerequisites(self.store, self.pack.trials[0], self.task.quantities)

    def run(self) -> PackRecord:
        """Does what the task says."""
        peak_memory(self.device)  # from here on, of this pack
        try:
            record = self._evaluate_stored() if self.pack.task == "evaluate" else self._train_and_evaluate()
            share = self.task.settings.resources.gpus
            return replace(record, unfit=tuple(self.unfit), memory=available_memory(self.device, share))
        finally:
            self.pulse.end()

    def _train_and_evaluate(self) -> PackRecord:
        finished = self._finished() if self.task.tries else {}  # the worker before may have come to a commit
        pack = self.pack.keep(trial for trial in self.pack.trials if trial.id not in finished)
        try:
            attempts = self._attempts(pack) if pack.trials else []
        except Stopped:
            return PackRecord(pack=self.pack.id, stopped=True)
        used = peak_memory(self.device) if attempts and not self.unfit else 0
        record = PackRecord(pack=self.pack.id, trial_steps=sum(attempt.step for attempt in attempts), used=used)
        for status in finished.values():
            record = record.with_status(status)
        for attempt in attempts:
            record = record.with_status(attempt.outcome, attempt.told)
        return record

    def _finished(self) -> dict[str, str]:
        """The trials of this pack that are finished in the store, with their outcome."""
        rows = self.store.trials(["trial", "status"], [trial.id for trial in self.pack.trials]).to_pylist()
        unmeasured = reasons(self.store.evaluations(), self.task.quantities)
        return {
            row["trial"]: EVALUATION_FAILED if row["trial"] in unmeasured else row["status"]
            for row in rows
            if row["status"] in FINISHED
        }

    def _attempts(self, pack: Pack) -> list[Attempt]:
        """Trains, evaluates and commits; on an exception the innocents together, and each culprit by itself."""
        started = now()
        attempts = [
            Attempt(trial=trial, identity=new_identity(), slot=slot, started=started)
            for slot, trial in enumerate(pack.trials)
        ]
        try:
            problem, state, checkpoints = self._train(pack, attempts)
            try:
                self._evaluate(problem, state, attempts)
            except Stopped:
                checkpoints.save_before_stop(state)
                raise
        except (Stopped, StoreError, DataError):
            raise
        except Exception as error:  # noqa: BLE001 - a trial's failure becomes its row
            end_if_device_is_lost(error)
            exhausted = out_of_memory(error)
            if exhausted and pack.decision.path == "fused":
                self.unfit.append(pack.decision.width)
            if parts := pack.narrowed() if exhausted else parted(pack, self._problem, self.pulse):
                return [attempt for part in parts for attempt in self._attempts(part)]
            status = "out_of_memory" if exhausted else "error"
            attempts[0].failed(status, reason_of(error), traceback_of(error))
            self.store.commit({"trials": [self._row(attempts[0], pack)]})
            return attempts
        self._commit(problem, state, attempts, pack)
        self.store.delete_checkpoint(pack.id)
        return attempts

    def _train(self, pack: Pack, attempts: list[Attempt]) -> tuple[Problem, PackState, Checkpoints]:
        self.pulse.mark(phase="train", step=0, steps=pack.trials[0].training.steps)
        self.pulse.step = 0
        problem = self._problem(pack)
        state = PackState.initial(problem)
        loaded = self.store.load_checkpoint(pack.id)
        if loaded is not None:
            with contextlib.suppress(ValueError):  # of other code: begin again
                state.load({name: torch.from_numpy(value) for name, value in loaded[0].items()})
        begun = time.perf_counter()
        checkpoints = Checkpoints(self.store, pack, self.task.settings.checkpoint_seconds, self.pulse.trained)
        state = train(problem, pack.decision.path, state, checkpoints.after_block)
        seconds = time.perf_counter() - begun
        steps, alive = state.step.tolist(), state.alive.tolist()
        curves = state.curves.cpu().double().numpy()
        for slot, attempt in enumerate(attempts):
            attempt.step = steps[slot]
            attempt.train_seconds = seconds / len(attempts)
            attempt.curves = curves_of(
                problem.curve_names, curves[slot], problem.curve_interval, problem.training.steps
            )
            if not alive[slot]:
                late = " after the last step" if steps[slot] == problem.training.steps else ""
                attempt.failed("diverged", f"the loss was not finite{late}")
        return problem, state, checkpoints

    def _problem(self, pack: Pack) -> Problem:
        return build_pack_problem(pack, self.device)

    def _evaluate(self, problem: Problem, state: PackState, attempts: list[Attempt]) -> None:
        views = self._views(problem, state.evaluated_rows())
        for slot, attempt in enumerate(attempts):
            if attempt.status != "completed" or not self.task.quantities:
                continue
            self.pulse.mark(phase="evaluate", trial=attempt.trial.id, trials=len(attempts), done=slot)
            self.pulse.look()
            begun = time.perf_counter()
            attempt.values, attempt.faults = evaluate(views[slot], self.task.quantities, self.prerequisites.faults)
            attempt.evaluate_seconds = time.perf_counter() - begun

    def _views(self, problem: Problem, rows: torch.Tensor) -> list[View | Fault]:
        """What there is to be measured of each slot, from its row of parameters."""
        fused = self.pack.decision.path == "fused"
        parameters = problem.layout.views(rows)
        try:
            needs = {
                role: network.to(problem.device, problem.dtype).requires_grad_(False)
                for role, network in self.prerequisites.networks.items()
            }
            pack = PackView(
                problem.network,
                parameters,
                problem.dataset,
                problem.keys,
                problem.dtype,
                fused=fused,
                prerequisites=needs,
            )
        except Exception as error:  # noqa: BLE001 - of a user's data, say: what was trained is kept
            return [fault_of(error)] * problem.slots
        return [pack.trial(slot) for slot in range(problem.slots)]

    def _commit(self, problem: Problem, state: PackState, attempts: list[Attempt], pack: Pack) -> None:
        steps = problem.training.steps
        # Of no trial: whoever ends this worker now, the trial that was evaluated last is not to blame for it.
        self.pulse.mark(phase="evaluate", trials=len(attempts), done=len(attempts), step=steps, steps=steps)
        named = problem.layout.views(state.evaluated_rows().cpu())
        weights: dict[str, np.ndarray] = {}
        tables: dict[str, list[dict[str, object]]] = {"trials": [], "curves": []}
        for attempt in attempts:
            tables["trials"].append(self._row(attempt, pack))
            tables["curves"] += curve_rows(attempt)
            if attempt.status == "completed":
                weights |= {f"{attempt.trial.id}/{name}": rows[attempt.slot].numpy() for name, rows in named.items()}
                for table, rows in self._rows(attempt.trial, attempt.identity, attempt.values, attempt.faults).items():
                    tables.setdefault(table, []).extend(rows)
        self.store.commit(tables, weights)

    def _evaluate_stored(self) -> PackRecord:
        """Measures the quantities asked for of trials, from their stored weights, without training.

        Those of a pack that was to train them before and could not are left out.
        """
        rows = self.store.trials(["trial", "attempt", "status"], [trial.id for trial in self.pack.trials]).to_pylist()
        attempts = {row["trial"]: row["attempt"] for row in rows if row["status"] == "completed"}
        pack, record = (
            self.pack.keep(one for one in self.pack.trials if one.id in attempts),
            PackRecord(pack=self.pack.id),
        )
        views = self._stored_views(pack) if pack.trials else []
        new: dict[str, list[dict[str, object]]] = {}
        for slot, trial in enumerate(pack.trials):
            self.pulse.mark(phase="evaluate", trial=trial.id, trials=len(pack.trials), done=slot)
            try:
                self.pulse.look()
            except Stopped:
                break
            values, faults = evaluate(views[slot], self.task.quantities, self.prerequisites.faults)
            for table, made in self._rows(trial, attempts[trial.id], values, faults).items():
                new.setdefault(table, []).extend(made)
            record = record.with_status(EVALUATION_FAILED if faults else "evaluated", first_reason(faults))
        # Of no trial, as in a commit.
        self.pulse.mark(phase="evaluate", trials=len(pack.trials), done=sum(record.counts.values()))
        for table, made in new.items():
            if made:
                self.store.append(table, made)
        return replace(record, stopped=sum(record.counts.values()) < len(pack.trials))

    def _stored_views(self, pack: Pack) -> list[View | Fault]:
        """What there is to be measured of each trial, from its stored weights."""
        trials = pack.trials
        try:
            problem = self._problem(pack)
            shapes, dtype = problem.layout.shapes, str(problem.dtype).removeprefix("torch.")
            stored = stored_weights(self.store, trials, shapes, dtype)
            whole = filled(stored, problem.slots)
            if not whole:
                return [one for one in stored if isinstance(one, Fault)]
            parameters = {name: torch.from_numpy(np.stack([one[name] for one in whole])) for name in shapes}
            # The rows of training, not plain stacks: the same memory layout gives the same bits.
            rows = problem.layout.rows({name: stack.to(self.device) for name, stack in parameters.items()})
        except DataError:
            raise
        except Exception as error:  # noqa: BLE001 - of a user's model or data: his trials cannot be measured
            return [fault_of(error)] * len(trials)
        views = self._views(problem, rows)
        return [one if isinstance(one, Fault) else views[slot] for slot, one in enumerate(stored)]

    def _row(self, attempt: Attempt, pack: Pack) -> dict[str, object]:
        task = self.task
        return trial_row(attempt, pack, task.settings.launch, task.quantities, task.sources)

    def _rows(
        self, trial: Trial, attempt: str, values: Mapping[str, Value], faults: Mapping[str, Fault]
    ) -> dict[str, list[dict[str, object]]]:
        quantities, levels, used = self.task.quantities, trial.data.levels, self.prerequisites.used
        return value_rows(trial.id, attempt, kept_weights(trial), values, quantities, levels, faults, used)


def build_pack_problem(pack: Pack, device: str) -> Problem:
    """The training problem of a pack: fused packs are padded to their width with copies of the last trial."""
    members = [Member(objective=t.objective, training=t.training, seed=t.seed) for t in pack.trials]
    if pack.decision.path == "fused":
        members = padded(members, pack.decision.width)
    first = pack.trials[0]
    return build_problem(first.data, first.model, members, torch.device(device))
