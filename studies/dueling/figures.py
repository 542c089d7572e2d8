"""The figures of Dueling Decoders by their numbers in the paper, and three that it has not.

Each takes frames by study name and gives a Figure that says how many trials are in it.
"""

from __future__ import annotations

from studies.dueling.latents import figure6, figure8, figure9
from studies.dueling.modifications import auxiliaries, enlarged, objectives
from studies.dueling.pictures import figure2
from studies.dueling.planes import figure3, figure5, figure7
from studies.dueling.removal import figure4

__all__ = [
    "auxiliaries",
    "enlarged",
    "figure2",
    "figure3",
    "figure4",
    "figure5",
    "figure6",
    "figure7",
    "figure8",
    "figure9",
    "objectives",
]
