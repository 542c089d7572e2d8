from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from studies.catalogue import PAPERS, find, papers
from studies.paths import StudyError

FILE = dedent(
    """
    from models.kinds import BetaObjective, Binomial, Digits, FlatModel, Training
    from results.quantity import Quantity
    from studies.axes import axis
    from studies.paper import Output, Paper
    from studies.study import Reduction, Study
    from studies.trial import Trial

    def norms(view, names): ...

    base = Trial(
        data=Digits(),
        model=FlatModel(latent=2, likelihood=Binomial(total=16)),
        objective=BetaObjective(),
        training=Training(steps=5, batch_size=4),
    )
    my_study = Study(
        name="mine/one",
        question="Does it?",
        base=base,
        axes=axis("objective.beta[0]", (0.1, 1.0)),
        quantities=(
            Quantity(name="norm", unit="1", goal="none", family=":norms"),
            Quantity(name="rate", unit="nats", goal="none", family="evaluation.information:information"),
        ),
        reduction=Reduction(note="1 step", assign={"training.steps": 1}),
    )
    my_paper = Paper(
        name="mine",
        title="Mine",
        reference="none",
        studies=(my_study,),
        tables=(Output(name="t", title="T", studies=("mine/one",), build=":table"),),
    )
    """
)


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "my_file.py").write_text(FILE)
    return str(tmp_path / "my_file.py")


def names(*asked: str) -> list[str]:
    return [entry.study.name for entry in find(asked)]


def test_a_name_is_a_study_a_paper_or_a_twin() -> None:
    assert names("digits/hvae") == ["digits/hvae"]
    assert names("digits") == ["digits/hvae", "digits/objectives"]
    assert names("digits@small") == ["digits/hvae@small", "digits/objectives@small"]
    parts = ("grid", "enlarged", "objectives", "auxiliaries", "removal")
    assert names("dueling") == [f"dueling/{part}" for part in parts]
    assert names("dueling@small") == [f"dueling/{part}@small" for part in parts]
    assert names("digits/objectives", "digits", "digits/hvae", "digits/hvae@small", "digits/hvae@small") == [
        "digits/objectives",
        "digits/hvae",
        "digits/hvae@small",
    ]
    assert find([]) == []


def test_our_papers_are_what_their_names_say() -> None:
    assert [paper.name for paper in papers()] == list(PAPERS)
    for paper in papers():
        assert all(study.name.startswith(f"{paper.name}/") for study in paper.studies)
        assert [entry.paper for entry in find([paper.name])] == [paper] * len(paper.studies)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "digits/hvea",
            "no study or paper 'digits/hvea'; did you mean digits/hvae .*known: digits, dueling, hvae, digits/hvae",
        ),
        ("zzz", "no study or paper 'zzz'; known: digits, dueling, hvae, digits/hvae, digits/objectives, dueling/grid"),
        ("dueling/gird@small", "did you mean dueling/grid"),
        ("digits/hvae@tiny", "after a name, only @small is known"),
        ("digits/hvea@small", "did you mean digits/hvae"),
        ("", "no study or paper ''"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_and_all(name: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        find([name])


def test_a_study_in_the_users_own_file(path: str) -> None:
    (entry,) = find([f"{path}:my_study"])
    assert (entry.study.name, len(entry.study), entry.paper) == ("mine/one", 2, None)
    assert entry.source is not None
    assert [quantity.family for quantity in entry.study.quantities] == [
        f"{entry.source.name}:norms",
        "evaluation.information:information",
    ]
    (twin,) = find([f"{path}:my_study@small"])
    assert (twin.study.name, twin.study.trials()[0].training.steps) == ("mine/one@small", 1)
    assert len(find([f"{path}:my_study", f"{path}:my_study", f"{path}:my_paper", "digits/hvae"])) == 2


def test_a_paper_in_the_users_own_file(path: str) -> None:
    (entry,) = find([f"{path}:my_paper"])
    assert entry.source is not None
    assert entry.paper is not None
    assert entry.paper.tables[0].build == f"{entry.source.name}:table"
    assert entry.study is entry.paper.studies[0]
    assert entry.study.quantity("norm").family == f"{entry.source.name}:norms"


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        (":my_stud", "defines no my_stud; did you mean my_study"),
        (":base", "base is a Trial, not a Study or Paper; .*my_study"),
        ("", "alone is no study: write .*my_file.py:NAME; known: my_paper, my_study"),
        (":", "alone is no study"),
    ],
)
def test_what_is_no_study_in_a_file_is_refused(path: str, attribute: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        find([path + attribute])


def test_two_different_studies_of_one_name_are_refused(path: str, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(FILE.replace("steps=5", "steps=6"))
    with pytest.raises(StudyError, match="defines a second study mine/one"):
        find([f"{path}:my_study", f"{other}:my_study"])
