"""What the digits studies must reach, on a sub-grid of digits/hvae trained as the full study trains it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pandas as pd
import pytest

from results.frame import build_frame
from results.store import ResultStore
from studies.catalogue import find
from sweep.launch import Launch, Options
from sweep.local_executor import LocalExecutor

BETA1, BETA2 = "objective.beta[0]", "objective.beta[1]"


def trained(folder: Path, values: str, options: Options) -> pd.DataFrame:
    """The part of digits/hvae with these values of both layer weights, launched."""
    store = ResultStore.open(folder / "store", create=True)
    (entry,) = find(["digits/hvae"])
    study = entry.study.select(f"{BETA2} in {values}", f"{BETA1} in {values}")
    launch = Launch([type(entry)(study=study, paper=entry.paper)], store, options)
    outcome = launch.run(LocalExecutor(), lambda _: contextlib.nullcontext())
    assert outcome.exit_code == 0
    return build_frame(
        study.name, study.question, study.axis_columns(), study.quantities, study.planned(), store
    ).trials


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The 5 × 5 sub-grid of both ends, 1, and a value between them on either side."""
    return trained(tmp_path_factory.mktemp("claims"), "0.1,0.316227766,1,3.16227766,10", Options())


def at(trials: pd.DataFrame, beta2: float, beta1: float) -> pd.Series:
    (row,) = trials[(trials[BETA2] == beta2) & (trials[BETA1] == beta1)].to_dict("records")
    return pd.Series(row)


def test_the_vae_alone_is_trained(tmp_path: Path) -> None:
    """One trial of the study in full, out of its pack: what the slow tests ask of the sub-grid at β2 = β1 = 1."""
    trials = trained(tmp_path, "1", Options(width=1))
    vae = at(trials, 1.0, 1.0)
    assert vae["step"] >= 1000
    assert -vae["elbo"] <= 130.0
    assert vae["accuracy_svm_rbf@z2"] >= 0.75
    assert vae["accuracy_svm_rbf@z1"] >= 0.85
    assert vae["rate_z1"] >= 0
    assert vae["rate_z2"] >= 0
    assert vae["rate"] == pytest.approx(vae["rate_z1"] + vae["rate_z2"])
    assert -vae["elbo"] == pytest.approx(vae["rate"] + vae["distortion"])


@pytest.mark.slow
def test_the_sub_grid_is_whole(trials: pd.DataFrame) -> None:
    assert len(trials) == 25
    assert (trials["status"] == "completed").all()
    assert (trials["step"] >= 1000).all()


@pytest.mark.slow
def test_the_vae_is_trained(trials: pd.DataFrame) -> None:
    assert -at(trials, 1.0, 1.0)["elbo"] <= 130.0


@pytest.mark.slow
def test_the_codes_classify(trials: pd.DataFrame) -> None:
    assert trials["accuracy_svm_rbf@z2"].max() >= 0.75
    assert trials["accuracy_svm_rbf@z1"].max() >= 0.85


@pytest.mark.slow
def test_a_dear_top_layer_is_left_unused(trials: pd.DataFrame) -> None:
    assert at(trials, 10.0, 0.1)["rate_z2"] < 0.1


@pytest.mark.slow
def test_terms_add_up_and_rates_are_not_negative(trials: pd.DataFrame) -> None:
    assert (trials[["rate_z1", "rate_z2"]] >= 0).all().all()
    pd.testing.assert_series_equal(trials["rate"], trials["rate_z1"] + trials["rate_z2"], check_names=False)
    pd.testing.assert_series_equal(-trials["elbo"], trials["rate"] + trials["distortion"], check_names=False)
