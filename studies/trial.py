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
PARTS = ("data", "model", "objective", "training")


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
        return digest(f"shape:[{','.join(part.masked_json for part in parts)}]")

    @functools.cached_property
    def _parts(self) -> str:
        # Each part caches its own canonical JSON, and the trials of a study share most parts.
        parts = (self.data, self.model, self.objective, self.training)
        return "\n".join(part.canonical_json for part in parts)

    def at_seed(self, seed: int) -> Trial:
        """The same setting at another seed, which is validated; the parts fit together here as they do there."""
        if type(seed) is not int or seed < 0:
            return Trial(data=self.data, model=self.model, objective=self.objective, training=self.training, seed=seed)
        made: Trial = type(self).model_construct(
            _fields_set={*PARTS, "seed"},
            data=self.data,
            model=self.model,
            objective=self.objective,
            training=self.training,
            seed=seed,
        )
        made.__dict__.update(_parts=self._parts, setting=self.setting)  # what has been hashed is not hashed again
        return made

    def specification(self) -> str:
        """All of this trial as JSON, defaults written out, from which `from_json` makes it again."""
        # As to_json(self.complete()), of parts that cache their own, as the trials of a study share most of them.
        parts = {name: getattr(self, name).complete_json for name in PARTS}
        members = sorted((parts | {"seed": str(self.seed)}).items())
        return "{" + ",".join(f'"{name}":{text}' for name, text in members) + "}"


def from_json(text: str, known: dict[str, Spec] | None = None) -> Trial:
    """A trial from its stored specification; raises `SpecificationError` where it is not one.

    known: the parts that have been made of other specifications, by their JSON, to be used again: the trials of a pack
    share most of theirs.
    """
    try:
        value: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecificationError(f"a specification is JSON; {error} in {text[:60]!r}") from None
    if not isinstance(value, dict):
        raise SpecificationError(f"a specification is a JSON object, not {text[:60]!r}")
    if known is None:
        return parse(Trial, value)
    keys = {name: f"{name}:{to_json(value[name])}" for name in PARTS if name in value}
    made = parse(Trial, value | {name: known[key] for name, key in keys.items() if key in known})
    known.update((key, getattr(made, name)) for name, key in keys.items())
    return made
