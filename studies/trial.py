"""Trial: one fully specified experiment, identified by its science alone."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from models.families import AnyData, AnyModel, AnyObjective
from models.kinds import Training
from models.spec import Spec, SpecificationError, parse, to_json

ID_DIGITS = 16


def digest(text: str) -> str:
    """64 bits of SHA-256 in hex: at 100,000 trials a collision has probability 3e-10."""
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


class Trial(Spec):
    """Data, model, objective, training and seed. Equal science gives an equal `id`, in whatever study it stands."""

    data: AnyData
    model: AnyModel
    objective: AnyObjective
    training: Training
    seed: Annotated[int, Field(strict=True, ge=0)] = 0

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self.model.check(self.data)
        self.objective.check(self.model)
        return self

    @functools.cached_property
    def id(self) -> str:
        return digest(f"trial:{self._parts}:{self.seed}")

    @functools.cached_property
    def setting(self) -> str:
        """Identity without the seed: replicates share it."""
        return digest(f"setting:{self._parts}")

    @functools.cached_property
    def shape(self) -> str:
        """Identity without the seed and the per-trial numbers: trials of one shape may train as one pack."""
        parts = (self.data, self.model, self.objective, self.training)
        return digest("shape:" + to_json([part.masked() for part in parts]))

    @functools.cached_property
    def _parts(self) -> str:
        # Each part caches its own canonical JSON, and the trials of a study share most parts.
        parts = (self.data, self.model, self.objective, self.training)
        return "\n".join(part.canonical_json for part in parts)

    def specification(self) -> str:
        """All of this trial as JSON, defaults written out, from which `from_json` makes it again."""
        # As to_json(self.complete()), of parts that cache their own, as the trials of a study share most of them.
        parts = {name: getattr(self, name).complete_json for name in ("data", "model", "objective", "training")}
        members = sorted((parts | {"seed": str(self.seed)}).items())
        return "{" + ",".join(f'"{name}":{text}' for name, text in members) + "}"


def from_json(text: str) -> Trial:
    """A trial from its stored specification; raises `SpecificationError` where it is not one."""
    try:
        value: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecificationError(f"a specification is JSON; {error} in {text[:60]!r}") from None
    if not isinstance(value, dict):
        raise SpecificationError(f"a specification is a JSON object, not {text[:60]!r}")
    return parse(Trial, value)
