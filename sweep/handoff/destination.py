"""Destinations of a hand-off, as one names them on the command line."""

from __future__ import annotations

from models.spec import nearest
from sweep.handoff.mlflow_runs import MLflowRuns
from sweep.handoff.runs import HandoffError, Tracker
from sweep.handoff.tensorboard_runs import TensorBoardRuns
from sweep.handoff.wandb_runs import WandbRuns

FORMS = {"tensorboard": "tensorboard:DIR", "mlflow": "mlflow:URI", "wandb": "wandb:PROJECT"}


def split(destination: str) -> tuple[str, str]:
    """(tool, where) of 'tensorboard:DIR'; raises HandoffError for anything else."""
    tool, _, where = destination.partition(":")
    if tool not in FORMS:
        raise HandoffError(f"no hand-off to {tool!r}; {nearest(tool, FORMS)} (forms: {', '.join(FORMS.values())})")
    if not where:
        raise HandoffError(f"a hand-off to {tool} says where: {FORMS[tool]}, not {destination!r}")
    return tool, where


def tracker(destination: str, study: str) -> Tracker:
    """What writes the runs of a study; raises HandoffError where its library is missing or does not answer."""
    tool, where = split(destination)
    if tool == "tensorboard":
        return TensorBoardRuns(where, study)
    if tool == "mlflow":
        return MLflowRuns(where, study)
    return WandbRuns(where, study)
