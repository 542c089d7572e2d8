"""What is no specification is refused: by a kind where it is made, and where stored JSON is read."""

from __future__ import annotations

import pytest

from models.kinds import BetaObjective
from models.spec import SpecificationError
from studies.trial import from_json


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), -1.0, "1.0", None, True])
def test_what_is_no_weight_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="beta"):
        BetaObjective(beta=(value,))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "a specification is JSON"),
        ("[]", "a specification is a JSON object"),
        ('{"data": {"kind": "digits"}}', "model: Field required"),
        ('{"data": {"kind": "digit"}}', "no data kind 'digit'; did you mean digits"),
        ('{"weights": 1}', "weights: Extra inputs are not permitted"),
        ('{"objective": {"kind": "beta", "beta": [NaN]}}', "objective"),
    ],
)
def test_json_that_is_no_specification_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecificationError, match=message):
        from_json(text)
