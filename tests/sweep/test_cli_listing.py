from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from studies.catalogue import find, papers
from sweep.cli.options import WIDTH

Sweep = Callable[..., Any]


def test_list_names_every_study_with_its_question_size_and_axes(sweep: Sweep) -> None:
    told = sweep("list")
    text = " ".join(told.out.split())
    for paper in papers():
        assert f"{paper.name}: {paper.title}" in text
        for study in paper.studies:
            assert f"{study.name}: {len(study)} trials" in text
            assert study.question in text
            assert all(column in text for column in study.axis_columns())
    assert "objective.beta[0] 21 values from 0.1 to 10" in text
    assert "5 values: β = 1, β = 0.1, KL annealing, free bits, target rate" in text
    assert max(map(len, told.out.splitlines())) <= WIDTH


def test_list_as_json_says_the_same(sweep: Sweep) -> None:
    record = json.loads(sweep("list", "--json").out)
    paper, dueling, layers = record["papers"]
    assert (paper["name"], dueling["name"], layers["name"]) == ("digits", "dueling", "hvae")
    assert [study["trials"] for study in dueling["studies"]] == [576, 54, 30, 288, 12]
    assert [study["trials"] for study in layers["studies"]] == [441] * 4
    hvae, objectives = paper["studies"]
    assert (hvae["name"], hvae["trials"], hvae["settings"], hvae["seeds"]) == ("digits/hvae", 441, 441, [0])
    axis = hvae["axes"][0]
    assert (axis["name"], axis["count"], axis["minimum"], axis["maximum"]) == ("objective.beta[1]", 21, 0.1, 10)
    assert len(axis["values"]) == 21
    assert (objectives["trials"], objectives["settings"], objectives["seeds"]) == (15, 5, [0, 1, 2])
    assert "minimum" not in objectives["axes"][0]
    assert hvae["small"]["name"] == "digits/hvae@small"
    assert hvae["small"]["trials"] == len(find(["digits/hvae@small"])[0].study)
    assert "distortion" in hvae["quantities"]
