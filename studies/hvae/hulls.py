"""The models that are optimal for a given total rate (Xiao & Bamler 2023, Sec. 5.3)."""

from __future__ import annotations

import pandas as pd

from results.frontier import Hull, Side, Variant, convex_hull
from studies.hvae.names import RATE


def total_rate_hull(rows: pd.DataFrame, quantity: str, variant: Variant = "text", side: Side = "upper") -> Hull:
    """The hull of a quantity against the total rate.

    variant: see `convex_hull`. Its 'visible' one looks from twice the largest value, which must be above 0; a quantity
    without such a value has the text's hull.
    """
    return convex_hull(rows, RATE, quantity, side=side, variant=variant if rows[quantity].max() > 0 else "text")
