"""MLflow: an experiment a study, a run a trial, through MLflow's client."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sweep.handoff.runs import HandoffError, Run

PREFIX = "ratesweep."
SENDING = f"{PREFIX}sending"  # the attempt of a run that is being written; taken away when it is whole
ATTEMPT = f"{PREFIX}attempt"
BATCH, PARAMETERS = 1000, 100  # metrics and parameters that MLflow takes at once
LONGEST_VALUE, LONGEST_TAG, LONGEST_NAME = 6000, 5000, 250
FAILED = frozenset({"error", "crashed", "timeout", "out_of_memory"})
_NAME = re.compile(r"[^\w\-. :/]", re.ASCII)

One = TypeVar("One")


def named(name: str) -> str:
    """A name that MLflow takes: 'objective.beta[0]' -> 'objective.beta.0', 'rate@z1' -> 'rate.z1'."""
    return _NAME.sub(".", name.replace("]", "")).replace("..", ".")[:LONGEST_NAME]


class MLflowRuns:
    """Runs in the tracking store at `uri`. The tag ratesweep.attempt, set last, says that a run is whole."""

    def __init__(self, uri: str, study: str) -> None:
        try:
            from mlflow.exceptions import MlflowException
            from mlflow.tracking import MlflowClient
        except ModuleNotFoundError as error:
            raise HandoffError("MLflow is not installed: pip install mlflow") from error
        self._fault = MlflowException
        try:
            self.client = MlflowClient(tracking_uri=uri)
            found = self.client.get_experiment_by_name(study)
            self.experiment = found.experiment_id if found else self.client.create_experiment(study)
        except (MlflowException, ImportError, OSError) as error:
            raise HandoffError(f"MLflow at {uri}: {_first_sentence(error)}") from error

    def known(self) -> Collection[str]:
        whole, token = [], None
        while True:
            page = self.client.search_runs([self.experiment], page_token=token, max_results=BATCH)
            for run in page:
                if SENDING in run.data.tags and ATTEMPT not in run.data.tags:
                    self.client.delete_run(run.info.run_id)  # its writer was killed
                elif ATTEMPT in run.data.tags:
                    whole.append(run.data.tags[ATTEMPT])
            token = page.token
            if not token:
                return whole

    def add(self, run: Run) -> None:
        from mlflow.entities import Metric, Param, RunTag

        try:
            made = self.client.create_run(
                self.experiment,
                start_time=int(1000 * run.started.timestamp()),
                tags={SENDING: run.attempt},
                run_name=run.trial,
            )
            identity, ended = made.info.run_id, int(1000 * run.finished.timestamp())
            parameters = [Param(named(name), str(value)[:LONGEST_VALUE]) for name, value in run.parameters.items()]
            metrics = [
                Metric(named(f"curves/{name}"), value, int(1000 * run.at(step)), step)
                for step, values in run.by_step.items()
                for name, value in values.items()
            ]
            metrics += [Metric(named(name), value, ended, run.step) for name, value in run.values.items()]
            tags = [RunTag(named(f"{PREFIX}{name}"), value[:LONGEST_TAG]) for name, value in run.tags.items()]
            for portion in portions(parameters, PARAMETERS):
                self.client.log_batch(identity, params=portion)
            for values in portions(metrics, BATCH):
                self.client.log_batch(identity, metrics=values)
            for some in portions(tags, PARAMETERS):
                self.client.log_batch(identity, tags=some)
            self.client.set_terminated(identity, "FAILED" if run.status in FAILED else "FINISHED", ended)
            self.client.set_tag(identity, ATTEMPT, run.attempt)
        except (self._fault, OSError) as error:
            raise HandoffError(f"MLflow refused trial {run.trial}: {_first_sentence(error)}") from error


def portions(items: Sequence[One], size: int) -> Iterator[list[One]]:
    """Lists of at most so many."""
    rest = iter(items)
    while portion := list(islice(rest, size)):
        yield portion


def _first_sentence(error: Any) -> str:
    return str(error).strip().partition("\n")[0]
