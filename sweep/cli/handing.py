"""`sweep handoff`: stored trials as runs of TensorBoard, MLflow or Weights & Biases."""

from __future__ import annotations

from argparse import Namespace

from sweep.cli import options
from sweep.cli.options import Parser, UsageError, Verbs


def add(verbs: Verbs[Parser]) -> None:
    """Declares handoff."""
    handoff = options.verb(
        verbs,
        "handoff",
        run_handoff,
        help="curves and values as runs of TensorBoard, MLflow or W&B",
        description="Writes the stored trials of studies as runs of another tool, through its own library: curves, "
        "final values, the specification as hyperparameters, status and seed as tags. A run is one attempt at a trial; "
        "given again, the command adds only the runs that are not there yet, also while a launch writes into the "
        "store. W&B is used online, or with WANDB_MODE=offline in the folder $WANDB_DIR.",
        example="sweep handoff digits/hvae --to tensorboard:out/board\n"
        "sweep handoff digits --to mlflow:http://tracking:5000\n"
        "WANDB_MODE=offline sweep handoff digits/hvae --to wandb:rates",
    )
    options.add_names(handoff)
    handoff.add_argument(
        "--to",
        required=True,
        metavar="TOOL:WHERE",
        help="tensorboard:DIR, mlflow:URI (of a tracking store) or wandb:PROJECT (or wandb:ENTITY/PROJECT)",
    )
    options.add_store(handoff)
    options.add_selection(handoff)


def run_handoff(namespace: Namespace) -> int:
    """Hands over what is stored of each study."""
    from sweep.handoff.destination import split, tracker
    from sweep.handoff.runs import HandoffError, hand_over

    try:
        split(namespace.to)
        entries = options.entries(namespace)
        store = options.open_existing_store(namespace)
        for entry in entries:
            written, there = hand_over(entry.study, store, tracker(namespace.to, entry.study.name))
            already = f", {there:,} were there already" if there else ""
            missing = len(entry.study) - written - there
            waiting = f", {missing:,} trials are not stored yet" if missing else ""
            print(f"{entry.study.name}: {written:,} runs written to {namespace.to}{already}{waiting}", flush=True)
    except HandoffError as error:
        raise UsageError(str(error)) from error
    options.note_damaged(store)
    return 0
