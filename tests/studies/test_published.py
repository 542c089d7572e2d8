"""Published numbers: the file that is shipped, and files that are refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from results.table import Published
from studies.published import PublishedNumbers, read_published

HEADER = "paper,table,dataset,model,config,metric,value,std,op,unit"
LINE = "p,T1,mnist,CNN,beta=1.0;batch=64,rate,7.90,0.28,=,nats"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """A package of its own that may hold a published.csv."""
    folder = tmp_path / "a_paper"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    read_published.cache_clear()
    yield "a_paper", folder / "published.csv"
    sys.modules.pop("a_paper", None)
    read_published.cache_clear()


def test_numbers_are_found_by_their_place(package: tuple[str, Path]) -> None:
    name, path = package
    other = LINE.replace("beta=1.0", "beta=0.1").replace("7.90", "31")
    path.write_text(f"{HEADER}\n{LINE}\n{other}\n{LINE.replace('CNN', 'PixelCNN').replace('0.28', '')}\n")
    numbers = read_published(name)
    found = numbers.find("T1", "rate", dataset="mnist", model="CNN", config="beta=1.0;batch=64")
    assert found is not None
    assert found.of_runs(3) == Published(value=7.9, std=0.28, n=3, digits=2)
    assert found.settings == {"beta": "1.0", "batch": "64"}
    assert numbers.settings("T1", dataset="mnist", model="PixelCNN") == {"beta": "1.0", "batch": "64"}
    assert numbers.settings("T9", dataset="mnist", model="PixelCNN") == {}
    assert numbers.find("T1", "rate", dataset="mnist", model="VAE") is None
    with pytest.raises(ValueError, match=r"T1 has 2 numbers at .*: beta=1.0;batch=64, beta=0.1;batch=64"):
        numbers.find("T1", "rate", dataset="mnist", model="CNN")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has the columns paper, table, .*, not "),
        (HEADER.replace("std", "error"), "not paper, table, dataset, model, config, metric, value, error, op, unit"),
        (f"{HEADER}\n{LINE},more", "line 2: 10 values a line, not 11"),
        (f"{HEADER}\n{LINE}\n{LINE}", r"line 3: T1 mnist CNN beta=1.0;batch=64 rate occurs twice"),
        (f"{HEADER}\n{LINE.replace('7.90', '~8')}", "line 2: '~8' ± '0.28' is no number"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_line(
    package: tuple[str, Path], text: str, message: str
) -> None:
    name, path = package
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_published(name)


@pytest.fixture(scope="module")
def dueling() -> PublishedNumbers:
    return read_published("studies.dueling")


def test_every_table_of_dueling_decoders_is_shipped(dueling: PublishedNumbers) -> None:
    rows = {table: sum(row.table == table for row in dueling.rows) for table in {row.table for row in dueling.rows}}
    # 14 models × 7 numbers; 6 × 3; 5 × 3 and 4 targets; 4 data sets × 2; 14 models × 4; sections
    assert rows == {"T1": 98, "T2": 18, "T3": 19, "T4": 8, "T8": 56, "S4.6": 2, "S4.1": 2, "S4.5": 1}
    assert {row.paper for row in dueling.rows} == {"dueling"}


def test_table_8_repeats_table_1(dueling: PublishedNumbers) -> None:
    """The same models stand in both, so every number that both print is the same, but for one standard deviation."""
    different = []
    for row in (row for row in dueling.rows if row.table == "T8"):
        other = dueling.find("T1", row.metric, dataset=row.dataset, model=row.model)
        assert other is not None
        assert other.value == row.value
        assert other.settings["beta"] == row.settings["beta"]
        if row.std != other.std and row.metric != "distortion":  # of which Table 1 gives no spread
            different.append((row.dataset, row.model, row.metric, other.std, row.std))
    assert different == [("fashion_mnist", "CNN", "recon_acc", "0.01", "0.00")]


def test_the_published_elbo_is_distortion_and_rate_to_rounding(dueling: PublishedNumbers) -> None:
    for row in (row for row in dueling.rows if row.metric == "elbo_neg"):
        parts = [dueling.find(row.table, name, dataset=row.dataset, model=row.model) for name in ("distortion", "rate")]
        total = sum(float(part.value) for part in parts if part is not None)
        assert abs(float(row.value) - total) < 0.15
