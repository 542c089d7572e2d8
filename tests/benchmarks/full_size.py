"""Each decoder of Dueling Decoders at the paper's own size, trained for as long as there is time, beside the published.

    .venv/bin/python tests/benchmarks/full_size.py [seconds] [device]

On thresholded MNIST at the winning settings of Table 8, one seed. Where 20,000 steps take longer than `seconds` a
decoder, it is trained for as many as fit, and the schedule of the learning rate is stretched to them: such a line is
shortened, and not comparable with the published numbers. The reference classifier is trained for as long at most, and
its schedule stretched likewise. It takes hours where nothing is shortened, and is run by hand.
"""

from __future__ import annotations

import os
import sys
import time
from typing import cast

SECONDS = 240.0
TRAIN_IMAGES, TEST_IMAGES = 10_000, 2_000  # for a shortened run, whose evaluation would take longer than its training
PROBED = 16  # steps by which the time of one is known
TIMED = 6  # steps where nothing else is asked
WINNERS = {"PixelCNN": (0.1, 64, 2, None), "CNN": (1.0, 64, 2, None), "Dueling Decoder": (1.0, 32, 16, 0.1)}
COLUMNS = ("rate", "distortion", "accuracy_mlp@z1", "accuracy_linear@z1", "reconstruction_accuracy")
PUBLISHED = ("rate", "distortion", "latent_acc_mlp", "latent_acc_linear", "recon_acc")


def main(seconds: float = SECONDS, device: str = "cpu") -> None:
    from models.training.process import prepare

    prepare(len(os.sched_getaffinity(0)))
    import torch

    from evaluation.classification import classification
    from evaluation.measure import measure
    from evaluation.view import PackView, View
    from models.network import Network
    from models.training.calibration import trial_steps_per_second
    from models.training.problem import Member, Problem, build_problem
    from models.training.state import PackState
    from models.training.trainer import ENGINES, train
    from results.quantity import Estimate
    from results.verdict import NOT_COMPARABLE
    from studies.dueling.paper import GRID, MEASURED
    from studies.dueling.prerequisites import reference
    from studies.dueling.sizes import BATCH, BETA, FULL_STEPS, LATENT, WEIGHT
    from studies.paths import assign_all, get, has
    from studies.published import read_published
    from studies.trial import Trial

    def problem_of(trial: Trial) -> Problem:
        member = Member(objective=trial.objective, training=trial.training, seed=trial.seed)
        return build_problem(trial.data, trial.model, [member], torch.device(device))

    def step_seconds(problem: Problem) -> float:
        state, engine = PackState.initial(problem), ENGINES["sequential"](problem)
        begun = time.perf_counter()
        engine.advance(state)
        return (time.perf_counter() - begun) / TIMED

    def steps_of(trial: Trial) -> int:
        """As many steps as fit, at most the trial's own."""
        speed = trial_steps_per_second(problem_of(trial), "sequential")
        return min(trial.training.steps, max(PROBED, int(speed * seconds) // PROBED * PROBED))

    def trained(trial: Trial, **networks: Network) -> tuple[View, Network, float]:
        problem = problem_of(trial)
        begun = time.perf_counter()
        state = train(problem, "sequential")
        taken = time.perf_counter() - begun
        parameters = problem.layout.views(state.evaluated_rows())
        for name, parameter in problem.network.named_parameters():
            parameter.data = parameters[name][0]
        pack = PackView(
            problem.network,
            parameters,
            problem.dataset,
            problem.keys,
            problem.dtype,
            fused=False,
            prerequisites=networks,
        )
        return pack.trial(0), problem.network, taken

    def shortened(trial: Trial, steps: int) -> Trial:
        """The trial in fewer steps, which see the whole shape of the learning rate, on fewer images."""
        stretch = steps / trial.training.steps
        if stretch == 1:
            return trial
        paths = ("training.optimiser.schedule.decay", "training.optimiser.schedule.warmup")
        changes = {path: get(trial, path) * stretch for path in paths}
        images = {"data.train_images": TRAIN_IMAGES, "data.test_images": TEST_IMAGES}
        return assign_all(trial, {"training.steps": steps, **images, **changes})

    settings = {
        (
            str(GRID.labels(trial)["model.decoder"]),
            *(get(trial, path) if has(trial, path) else None for path in (BETA, BATCH, LATENT, WEIGHT)),
        ): trial
        for trial in GRID.trials()
        if trial.data.kind == "thresholded-mnist" and trial.seed == 0
    }
    if seconds == 0:
        print("| decoder | parameters | ms a step | hours for 20,000 steps |\n|---|---|---|---|")
        for decoder, setting in WINNERS.items():
            problem = problem_of(assign_all(settings[(decoder, *setting)], {"training.steps": TIMED}))
            taken = step_seconds(problem)
            count = sum(parameter.numel() for parameter in problem.network.parameters())
            print(f"| {decoder} | {count:,} | {taken * 1e3:.0f} | {taken * FULL_STEPS / 3600:.1f} |", flush=True)
        return
    published = read_published("studies.dueling")
    threads = torch.get_num_threads()
    print(f"thresholded MNIST, 28×28, float32, {device}, {threads} threads, torch {torch.__version__}")
    first = next(iter(settings.values()))
    whole = reference(first)["reference"]
    judge = shortened(whole, steps_of(whole))
    view, classifier, taken = trained(judge)
    accuracy = classification(view, ("accuracy",))["accuracy"].value
    told = f"{judge.training.steps:,} of {whole.training.steps:,} steps in {taken:.0f} s"
    print(f"reference classifier: {told}, accuracy {accuracy:.3f}\n")
    print("| decoder | steps | s | ms a step | " + " | ".join(COLUMNS) + " | verdict |")
    print("|" + "---|" * (5 + len(COLUMNS)))
    for decoder, setting in WINNERS.items():
        trial = settings[(decoder, *setting)]
        trial = shortened(trial, steps_of(trial))
        view, _, taken = trained(trial, reference=classifier)
        values = measure(view, [one for one in MEASURED if one.name in COLUMNS])
        steps = trial.training.steps
        cut = steps < FULL_STEPS or judge is not whole
        verdict = f"{NOT_COMPARABLE}, shortened" if cut else "too few seeds"
        estimates = [cast(Estimate, values[name]) for name in COLUMNS]
        line = " | ".join(f"{one.value:.2f}" for one in estimates)
        speed = f"{taken:.0f} | {taken / steps * 1e3:.0f}"
        print(f"| {decoder} | {steps:,} | {speed} | {line} | {verdict} |", flush=True)
        found = (published.find("T1", name, dataset="thresholded_mnist", model=decoder) for name in PUBLISHED)
        line = " | ".join("" if one is None else one.value for one in found)
        print(f"| {decoder}, published | {FULL_STEPS:,} | | | {line} | |", flush=True)


if __name__ == "__main__":
    main(*(kind(text) for kind, text in zip((float, str), sys.argv[1:], strict=False)))
