"""The tables of Trading Information between Latents: Table 1, and for each study accuracies, optima and claims."""

from __future__ import annotations

from studies.hvae.accuracies import best_accuracies, table1
from studies.hvae.claims import claims, claims_evidence
from studies.hvae.optima import optima, setup

__all__ = ["best_accuracies", "claims", "claims_evidence", "optima", "setup", "table1"]
