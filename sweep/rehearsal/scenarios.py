"""Scenarios: five rehearsals by which the policy of a launch is tested at scale, each against its lower bound.

They are made-up studies on made-up clusters: their trials are real specifications, their times are given here. Where
the makespan is more than LIMIT times its lower bound, or something else is far from the best, the scenario says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from models.kinds import BetaObjective, Binomial, Digits, FlatModel, Training
from models.spec import nearest
from studies.axes import axis, product
from studies.study import Study
from studies.trial import Trial
from sweep.estimate import Spent, Times
from sweep.executor import ExecutorError
from sweep.pack import FUSED_WIDTH_CUDA
from sweep.plan import plan_study
from sweep.rehearsal.cluster import Cluster, Faults, Node
from sweep.rehearsal.life import rehearse
from sweep.rehearsal.report import Report
from sweep.rehearsal.work import Work

LIMIT = 1.10
STEPS = 1000
GB = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A study, a cluster and what goes wrong.

    seconds: of a pack of FUSED_WIDTH_CUDA slots, by latent dimensions, which tell the shapes apart. footprint: bytes of
    a slot, 0 where memory is no matter. note: what keeps it from ending sooner, where that is not the lower bound.
    """

    name: str
    about: str
    study: Study
    seconds: Mapping[int, float]
    cluster: Cluster
    faults: Faults = field(default_factory=Faults)
    footprint: int = 0
    note: str = ""

    def times(self) -> Times:
        first = {trial.shape: trial for trial in self.study.trials()}
        return Times(
            training={
                (shape, "cuda"): Spent(fused={FUSED_WIDTH_CUDA: self.seconds[latent_of(trial)]}, basis="given")
                for shape, trial in first.items()
            }
        )

    def run(self) -> Report:
        times, footprint = self.times(), self.footprint
        work = Work.of([plan_study(self.study, None)], None, times, device="cuda", slots=self.cluster.slots)
        taken: Callable[[Trial], int] | None = (lambda trial: footprint) if footprint else None
        return rehearse(work, times, self.cluster, self.faults, footprint=taken)


def latent_of(trial: Trial) -> int:
    """The latent dimensions of a scenario's trial."""
    assert isinstance(trial.model, FlatModel)
    return trial.model.latent


def grid(name: str, settings: int, latents: int = 1, seeds: int = 3) -> Study:
    """So many settings of each of some shapes, which differ in their latent dimensions."""
    return Study(
        name=f"rehearsal/{name}",
        question="How long does it take?",
        base=Trial(
            data=Digits(),
            model=FlatModel(latent=2, likelihood=Binomial(total=16)),
            objective=BetaObjective(),
            training=Training(steps=STEPS, batch_size=64),
        ),
        axes=product(
            axis("model.latent", tuple(range(1, latents + 1))),
            axis("objective.beta[0]", tuple((number + 1) / settings for number in range(settings))),
        ),
        seeds=seeds,
    )


def gpus(nodes: int, each: int, memory: int | None = None) -> tuple[Node, ...]:
    return (Node(slots={"cuda": each, "cpu": each}, memory=memory),) * nodes


def pareto(count: int, shortest: float, longest: float, tail: float) -> dict[int, float]:
    """Seconds of so many shapes as the middles of equal parts of a Pareto distribution, the longest cut off."""
    shares = ((number + 0.5) / count for number in range(count))
    return {place: min(longest, shortest * (1 - share) ** (-1 / tail)) for place, share in enumerate(shares, 1)}


SCENARIOS = {
    one.name: one
    for one in (
        Scenario(
            name="uniform",
            about="512 settings of one shape at 3 seeds: 24 packs of 10 minutes on 8 GPUs",
            study=grid("uniform", 512),
            seconds={1: 600.0},
            cluster=Cluster(nodes=gpus(1, 8)),
        ),
        Scenario(
            name="long-tail",
            about="16 shapes whose packs take from 5 minutes to 3 hours (Pareto, exponent 1.1), 3 seeds, on 8 GPUs",
            study=grid("long-tail", 64, latents=16),
            seconds=pareto(16, 300.0, 10_800.0, 1.1),
            cluster=Cluster(nodes=gpus(1, 8)),
            note="the first picture takes as long as the longest pack of the first seed: nearly all of the time",
        ),
        Scenario(
            name="two-sizes",
            about="a pack of 64 needs 45 GB: 4 GPUs have 80 GB, and 4 have 24 GB, where it is narrowed to 32",
            study=grid("two-sizes", 512, latents=2),
            seconds={1: 600.0, 2: 900.0},
            cluster=Cluster(nodes=(*gpus(1, 4, 80 * GB), *gpus(1, 4, 24 * GB))),
            footprint=700_000_000,
        ),
        Scenario(
            name="node-loss",
            about="packs of 1 to 3 hours; each hour 5 % of 6 nodes of one GPU are lost, for half an hour each",
            study=grid("node-loss", 448, latents=3),
            seconds={1: 3600.0, 2: 7200.0, 3: 10_800.0},
            cluster=Cluster(nodes=gpus(6, 1), away=1800.0),
            faults=Faults(node_loss=0.05, seed=0),
        ),
        Scenario(
            name="hvae-441",
            about="441 settings of one shape, as of digits/hvae, in 7 packs of 64 (the last one of 57), on 4 GPUs",
            study=grid("hvae-441", 441, seeds=1),
            seconds={1: 1200.0},
            cluster=Cluster(nodes=gpus(1, 4)),
            note="7 packs on 4 GPUs take two rounds, 8/7 of all work shared out evenly: the width of a pack follows "
            "from the study alone, so that the bits of a trial do not depend on how many GPUs there are",
        ),
    )
}


def scenario(name: str) -> Scenario:
    """One of them by name."""
    if name not in SCENARIOS:
        raise ExecutorError(f"no scenario {name!r}; {nearest(name, SCENARIOS)}")
    return SCENARIOS[name]
