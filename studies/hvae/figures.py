"""The figures of Trading Information between Latents, by the numbers in the paper, each of any one of its studies.

Each takes frames by study name and gives a Figure that says how many trials are in it. β2 weighs R(z2), the rate of the
top layer; β1 weighs R(z1|z2). hull: which convex hull gives the optima (`results.frontier.convex_hull`).
"""

from __future__ import annotations

from studies.hvae.metrics import figure5, figure7, metrics
from studies.hvae.pictures import figure4
from studies.hvae.reconstruction import figure3
from studies.hvae.tasks import figure1
from studies.hvae.totals import figure6

__all__ = ["figure1", "figure3", "figure4", "figure5", "figure6", "figure7", "metrics"]
