"""The tables of Dueling Decoders by their numbers in the paper.

Each takes frames by study name and stands beside the published numbers, with a verdict on every pair.
"""

from __future__ import annotations

from studies.dueling.comparisons import table2, table3
from studies.dueling.correlations import table4, table4_ratios
from studies.dueling.low_rate import table1, table8

__all__ = ["table1", "table2", "table3", "table4", "table4_ratios", "table8"]
