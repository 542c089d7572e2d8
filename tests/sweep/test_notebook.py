"""A store in a notebook: frames, tables and networks by name, held to the raw files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import torch

from models.noise import Noise, key
from models.spec import SpecificationError
from results.files import StoreError
from studies.catalogue import find
from studies.paths import StudyError
from sweep.notebook import Notebook, open_store

OBJECTIVES = "digits/objectives@small"


@pytest.fixture
def runs(digits_store: Path) -> Notebook:
    return open_store(digits_store)


def trial_of(runs: Notebook, study: str) -> str:
    return str(runs.frame(study).trials.query("status == 'completed'")["trial"].iloc[0])


def test_a_frame_is_found_by_name_and_by_study(runs: Notebook, studies: Path) -> None:
    by_name = runs.frame(OBJECTIVES)
    assert by_name.study == OBJECTIVES
    assert by_name.coverage.completed == 15
    by_study = runs.frame(find([OBJECTIVES])[0].study)
    pd.testing.assert_frame_equal(by_name.trials, by_study.trials)
    assert len(runs.frame(OBJECTIVES, where=("objective=free bits",), seeds=2).trials) == 2
    assert runs.frame(f"{studies}:sound").coverage.missing == 4


def test_tables_and_figures_are_found_by_name(runs: Notebook) -> None:
    assert runs.table("objectives", OBJECTIVES).coverage == (15, 15)
    assert runs.table("objectives").coverage == (0, 15)  # of the full study nothing is stored here
    assert set(runs.tables("digits@small")) == {"best_accuracy", "optima", "objectives"}
    assert runs.figure("rate_distortion", OBJECTIVES).coverage == (15, 15)
    with pytest.raises(StudyError, match=r"no table 'objective'; did you mean objectives"):
        runs.table("objective")
    with pytest.raises(StudyError, match=r"no figure 'rate'"):
        runs.figure("rate", OBJECTIVES)


def test_trials_are_the_raw_table(runs: Notebook, digits_store: Path) -> None:
    raw = pd.concat([pd.read_parquet(part) for part in (digits_store / "trials").glob("*.parquet")])
    assert sorted(runs.trials()["trial"]) == sorted(raw["trial"])
    trial = raw["trial"].iloc[0]
    assert json.loads(runs.specification(trial).specification()) == json.loads(raw["specification"].iloc[0])
    assert runs.trial(trial[:12]).row["trial"] == trial


@pytest.mark.parametrize("study", ["digits/hvae@small", OBJECTIVES])
def test_a_model_has_the_stored_weights_and_makes_the_stored_pictures(
    study: str, runs: Notebook, digits_store: Path
) -> None:
    trial = trial_of(runs, study)
    network = runs.model(trial[:12])
    stored: dict[str, np.ndarray] = {}
    for part in (digits_store / "weights").iterdir():
        stored |= safetensors.numpy.load_file(part)
    own = {name.removeprefix(f"{trial}/"): value for name, value in stored.items() if name.startswith(f"{trial}/")}
    assert set(own) == {name for name, _ in network.named_parameters()}
    for name, parameter in network.named_parameters():
        np.testing.assert_array_equal(parameter.detach().numpy(), own[name])

    frame = runs.frame(study)
    originals, reconstructions = frame.arrays(trial, "originals"), frame.arrays(trial, "reconstructions")
    assert originals is not None
    assert reconstructions is not None
    with torch.no_grad():
        made = network.reconstruct((torch.from_numpy(originals).float() * (16 / 255)).round()) * 255
    assert np.abs(made.numpy() - reconstructions).max() <= 0.5 + 1e-4  # pictures are stored to the nearest level


def test_a_model_measures_what_was_measured(runs: Notebook) -> None:
    from models.build import load_data

    trial = trial_of(runs, OBJECTIVES)
    specification = runs.specification(trial)
    images = load_data(specification.data).test.images.float()
    noise = Noise(key(5), 0)
    with torch.no_grad():
        terms = runs.model(trial).terms(images, noise)
    measured = runs.frame(OBJECTIVES).trials.set_index("trial").loc[trial]
    assert terms.rate.sum(0).mean().item() == pytest.approx(measured["rate"], rel=1e-5)  # analytic: no noise in it
    # One other sample a datum: within 5 standard errors of the difference.
    assert terms.distortion.mean().item() == pytest.approx(measured["distortion"], abs=7 * measured["distortion.se"])


def test_what_is_not_there_is_told(runs: Notebook, half_done: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        open_store(tmp_path / "none")
    with pytest.raises(StoreError, match="no trial 'zz'"):
        runs.model("zz")
    with pytest.raises(StudyError, match="a frame is of one study; digits has digits/hvae, digits/objectives"):
        runs.frame("digits")
    failed = open_store(half_done).trials().query("status == 'error'")["trial"].iloc[0]
    with pytest.raises(StoreError, match="no weights were kept"):
        open_store(half_done).model(failed)


def test_a_kind_of_one_s_own_is_known_once_its_file_is(half_done: Path, studies: Path) -> None:
    failed = open_store(half_done).trials().query("status == 'error'")["trial"].iloc[0]
    program = (
        "import sys\nfrom sweep.notebook import open_store\nruns = open_store(sys.argv[1])\n"
        "try:\n    runs.specification(sys.argv[2])\nexcept Exception as error:\n    print(error)\n"
        "assert not {'torch', 'ray', 'plotly'} & set(sys.modules)\n"
        "runs.frame(sys.argv[3] + ':half')\nprint(runs.specification(sys.argv[2]).objective.kind)\n"
    )
    arguments = [sys.executable, "-c", program, str(half_done), failed, str(studies)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    first, last = done.stdout.splitlines()
    assert "no objective kind 'test-faulty'" in first
    assert ".frame('path/to/file.py:study')" in first
    assert last == "test-faulty"


def test_weights_of_other_code_are_refused(runs: Notebook) -> None:
    from models.trained import trained_network

    trial = trial_of(runs, OBJECTIVES)
    specification, weights = runs.specification(trial), runs.store.weights(trial)
    first = next(iter(weights))
    with pytest.raises(SpecificationError, match=f"the weights lack '{first}'"):
        trained_network(specification.model, specification.data, {k: v for k, v in weights.items() if k != first})
    with pytest.raises(SpecificationError, match=f"'{first}' of model kind 'flat' has the shape"):
        trained_network(specification.model, specification.data, weights | {first: weights[first][:1]})
