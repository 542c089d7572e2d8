"""PackState: everything that changes while a pack trains. Saved and loaded, training goes on bit for bit.

There is no generator state: random numbers are a function of the step (models/noise.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.training.problem import Problem


@dataclass(kw_only=True)
class PackState:
    """K slots of one pack.

    rows: (K, P) parameters; moments: (K, P) each; average: (K, P) moving average of the rows, or None.
    objective: the objective's own state by name, (K, ...).
    step: (K,) int64, steps done; alive: (K,) bool, False once diverged (frozen at that step).
    sums: (K, C) of the training terms since the last curve point; curves: (K, points, C), NaN where not reached.
    """

    rows: Tensor
    moments: dict[str, Tensor]
    average: Tensor | None
    objective: dict[str, Tensor]
    step: Tensor
    alive: Tensor
    sums: Tensor
    curves: Tensor

    @classmethod
    def initial(cls, problem: Problem) -> PackState:
        rows = problem.initial_rows()
        slots, device = len(rows), rows.device
        columns = len(problem.curve_names)
        points = -(-problem.training.steps // problem.curve_interval)
        return cls(
            rows=rows,
            moments={name: torch.zeros_like(rows) for name in problem.optimiser.moments},
            average=rows.clone() if problem.training.ema is not None else None,
            objective=problem.initial_objective(),
            step=torch.zeros(slots, dtype=torch.int64, device=device),
            alive=torch.ones(slots, dtype=torch.bool, device=device),
            sums=torch.zeros(slots, columns, dtype=rows.dtype, device=device),
            curves=torch.full((slots, points, columns), torch.nan, dtype=rows.dtype, device=device),
        )

    def tensors(self) -> dict[str, Tensor]:
        """All of it by name, on the CPU: what a checkpoint holds."""
        named = {"rows": self.rows, "step": self.step, "alive": self.alive, "sums": self.sums, "curves": self.curves}
        if self.average is not None:
            named["average"] = self.average
        named |= {f"moments.{name}": value for name, value in self.moments.items()}
        named |= {f"objective.{name}": value for name, value in self.objective.items()}
        return {name: value.detach().cpu().contiguous() for name, value in named.items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Takes over a checkpoint of the same problem; raises ValueError where a name or shape differs."""
        current = self.tensors()
        for name, value in current.items():
            if name not in tensors or tensors[name].shape != value.shape or tensors[name].dtype != value.dtype:
                raise ValueError(f"the checkpoint's {name!r} does not fit this pack")
        device = self.rows.device
        for name, value in tensors.items():
            group, _, part = name.partition(".")
            if part:
                getattr(self, group)[part] = value.to(device)
            else:
                setattr(self, group, value.to(device))

    def trained(self) -> list[Tensor]:
        """Every tensor that a training step changes in place, slot by slot."""
        average = [] if self.average is None else [self.average]
        return [self.rows, *self.moments.values(), *average, *self.objective.values(), self.step, self.sums]

    def record_curves(self, count: int, interval: int, slots: slice = slice(None)) -> None:
        """Closes a curve point at step `count`: the mean of the terms since the last one."""
        point = (count - 1) // interval
        mean = self.sums[slots] / (count - point * interval)
        self.curves[slots, point] = torch.where(self.alive[slots, None], mean, torch.nan)
        self.sums[slots] = 0.0

    def done(self, steps: int) -> bool:
        """Whether every slot has done its steps or diverged."""
        return bool((~self.alive | (self.step >= steps)).all())

    def evaluated_rows(self) -> Tensor:
        """The rows that are evaluated and kept: the moving average where there is one."""
        return self.rows if self.average is None else self.average
