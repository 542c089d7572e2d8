"""Weights & Biases: a run a trial in one project, online or, with WANDB_MODE=offline, in a local folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sweep.handoff.runs import HandoffError, Run

WHOLE = "ratesweep-whole"  # a file in the folder of an offline run that was written to its end
LONGEST_TAG = 64
FAILED = frozenset({"error", "crashed", "timeout", "out_of_memory"})


class WandbRuns:
    """Runs of a project ('project' or 'entity/project'); a run's id is its attempt.

    folder: where W&B keeps its files, by default $WANDB_DIR or the working folder.
    """

    def __init__(self, project: str, study: str, folder: str | None = None) -> None:
        try:
            import wandb
        except ModuleNotFoundError as error:
            raise HandoffError("W&B is not installed: pip install wandb") from error
        self.wandb: Any = wandb
        entity, slash, name = project.rpartition("/")
        self.entity, self.project, self.study = (entity if slash else None), name, study
        self.folder = Path(folder or os.environ.get("WANDB_DIR") or ".")
        self.offline = os.environ.get("WANDB_MODE") in ("offline", "dryrun")

    def known(self) -> Collection[str]:
        if not self.offline:
            project = f"{self.entity}/{self.project}" if self.entity else self.project
            try:
                found = self.wandb.Api().runs(project, filters={"group": self.study})
                return [run.id for run in found if run.state != "running"]
            except (ValueError, self.wandb.errors.Error) as error:
                if "Could not find project" in str(error):
                    return []  # the first run makes it
                raise self._fault(error) from error
        whole = []
        for run in (self.folder / "wandb").glob("offline-run-*"):
            if (run / WHOLE).exists():
                whole.append((run / WHOLE).read_text().strip())
        return whole

    def add(self, run: Run) -> None:
        for partial in (self.folder / "wandb").glob(f"offline-run-*-{run.attempt}"):
            shutil.rmtree(partial)  # its writer was killed
        try:
            one = self.wandb.init(
                entity=self.entity,
                project=self.project,
                id=run.attempt,
                name=run.trial,
                group=self.study,
                job_type=run.tags["setting"],
                tags=[text[:LONGEST_TAG] for text in (run.status, f"seed {run.tags['seed']}")],
                config=dict(run.parameters) | {"ratesweep": dict(run.tags)},
                dir=str(self.folder),
                mode="offline" if self.offline else "online",
                settings=self.wandb.Settings(silent=True, console="off", x_disable_stats=True, disable_git=True),
            )
            one.define_metric("curves/*", step_metric="step")
            for step, values in run.by_step.items():
                one.log({"step": step, **{f"curves/{name}": value for name, value in values.items()}})
            for name, value in run.values.items():
                one.summary[name] = value
            folder = Path(one.dir).parent
            one.finish(exit_code=1 if run.status in FAILED else 0)
            if self.offline:
                (folder / WHOLE).write_text(f"{run.attempt}\n")
        except (ValueError, OSError, self.wandb.errors.Error) as error:
            raise self._fault(error) from error

    def _fault(self, error: Exception) -> HandoffError:
        return HandoffError(f"W&B, project {self.project}: {str(error).strip().partition(chr(10))[0]}")
