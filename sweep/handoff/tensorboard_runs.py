"""TensorBoard: a folder a run with its scalars, and its hyperparameters for the tab HPARAMS."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path

from sweep.handoff.runs import HandoffError, Run

PARTIAL = ".partial"


class TensorBoardRuns:
    """Runs under DIR/<study>/<trial>-<attempt>, each made under another name and renamed when it is whole."""

    def __init__(self, folder: str, study: str) -> None:
        try:
            import tensorboardX  # noqa: F401
        except ModuleNotFoundError as error:
            raise HandoffError("tensorboardX is not installed: pip install tensorboardX") from error
        if "://" in folder:
            raise HandoffError(f"TensorBoard's runs are written to a local folder, not to {folder!r}")
        self.folder = Path(folder).expanduser() / study
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HandoffError(f"{self.folder} cannot be made: {error.strerror}") from error

    def known(self) -> Collection[str]:
        names = [path.name for path in self.folder.iterdir() if path.is_dir()]
        return [name.partition("-")[2] for name in names if not name.endswith(PARTIAL)]

    def add(self, run: Run) -> None:
        from tensorboardX import SummaryWriter
        from tensorboardX.summary import hparams

        whole = self.folder / f"{run.trial}-{run.attempt}"
        partial = whole.with_name(whole.name + PARTIAL)
        shutil.rmtree(partial, ignore_errors=True)
        ended = run.finished.timestamp()
        try:
            with SummaryWriter(logdir=str(partial)) as writer:
                for summary in hparams(dict(run.parameters) | {"status": run.status}, dict(run.values)):
                    writer.file_writer.add_summary(summary, walltime=ended)
                for step, values in run.by_step.items():
                    for name, value in values.items():
                        writer.add_scalar(f"curves/{name}", value, step, walltime=run.at(step))
                for name, value in run.values.items():
                    writer.add_scalar(name, value, run.step, walltime=ended)
                writer.add_text("trial", json.dumps(dict(run.tags), indent=2), run.step, walltime=ended)
            partial.rename(whole)
        except OSError as error:
            raise HandoffError(f"{whole} cannot be written: {error.strerror}") from error
