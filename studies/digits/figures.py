"""Figures of the digits studies, after Xiao & Bamler (2023) and Alemi et al. (2018), by the names in the paper.

Each takes frames by study name and gives a Figure that says how many trials are in it. β2 weighs R(z2), the rate of the
top layer; β1 weighs R(z1|z2).
"""

from __future__ import annotations

from studies.digits.landscapes import surface
from studies.digits.pictures import reconstructions
from studies.digits.planes import against_total_rate, rate_rate
from studies.digits.tradeoff import rate_distortion

__all__ = ["against_total_rate", "rate_distortion", "rate_rate", "reconstructions", "surface"]
