"""What other tools are given of stored trials, read back from what they keep."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.store import ResultStore
from studies.catalogue import find
from sweep.handoff.destination import split
from sweep.handoff.mlflow_runs import named, portions
from sweep.handoff.runs import HandoffError, Run, flat, hand_over, runs
from sweep.handoff.tensorboard_runs import TensorBoardRuns

Sweep = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[3]


def stored(store: Path, studies: Path, name: str = "half") -> tuple[list[Run], ResultStore]:
    opened = ResultStore.open(store)
    study = find([f"{studies}:{name}"])[0].study
    return list(runs(study, opened, [trial.id for trial in study.trials()])), opened


def events(folder: Path) -> list[Any]:
    """The records of an event file, read as TFRecords: length, its checksum, the event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.glob("events.out.tfevents.*")
    data, found, place = path.read_bytes(), [], 0
    while place < len(data):
        (length,) = struct.unpack("<Q", data[place : place + 8])
        found.append(Event.FromString(data[place + 12 : place + 12 + length]))
        place += 16 + length
    return found


def test_a_run_is_what_the_store_has(half_done: Path, studies: Path) -> None:
    found, opened = stored(half_done, studies)
    assert len(found) == 8
    for run in found:
        (row,) = opened.trials(None, [run.trial]).to_pylist()
        assert (run.attempt, run.status, run.step) == (row["attempt"], row["status"], row["step"])
        assert run.parameters == flat(json.loads(row["specification"]))
        metrics = opened.winning("metrics", ["quantity", "value"], [run.trial]).to_pylist()
        assert run.values == {one["quantity"]: one["value"] for one in metrics}
        curves = opened.curves(run.trial)
        assert {name: list(values) for name, (_, values) in run.curves.items()} == {
            name: values.tolist() for name, (_, values) in curves.items()
        }
    failed = next(run for run in found if run.status == "error")
    assert failed.tags["reason"] == "RuntimeError: no answer from PATH after N tries"
    assert (failed.values, failed.curves) == ({}, {})


def test_a_specification_is_flat_under_the_paths_of_where() -> None:
    specification = {"kind": "x", "objective": {"beta": [0.5, 1], "on": True, "none": None}}
    assert flat(specification) == {"kind": "x", "objective.beta[0]": 0.5, "objective.beta[1]": 1, "objective.on": True}


def test_steps_have_times_between_start_and_end(half_done: Path, studies: Path) -> None:
    run = next(run for run in stored(half_done, studies)[0] if run.curves)
    assert run.at(0) == run.started.timestamp()
    assert run.at(run.step) == run.finished.timestamp()
    assert list(run.by_step) == sorted(run.by_step)
    assert all(set(values) == set(run.curves) for values in run.by_step.values())


def test_tensorboard_gets_scalars_and_hyperparameters(
    sweep: Sweep, studies: Path, half_done: Path, tmp_path: Path
) -> None:
    told = sweep("handoff", f"{studies}:half", "--store", half_done, "--to", f"tensorboard:{tmp_path / 'board'}")
    assert (told.code, told.err) == (0, "")
    assert told.out == f"own/half: 8 runs written to tensorboard:{tmp_path / 'board'}\n"
    for run in stored(half_done, studies)[0]:
        found = events(tmp_path / "board" / "own" / "half" / f"{run.trial}-{run.attempt}")
        scalars: dict[str, list[tuple[int, float]]] = {}
        hyper: dict[str, Any] = {}
        for event in found:
            for value in event.summary.value:
                if value.WhichOneof("value") == "simple_value":
                    scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
                elif value.tag == "_hparams_/session_start_info":
                    hyper = session_start(value.metadata.plugin_data.content)
        for name, (steps, values) in run.curves.items():
            assert [step for step, _ in scalars[f"curves/{name}"]] == list(steps)
            assert [value for _, value in scalars[f"curves/{name}"]] == pytest.approx(list(values), rel=1e-6)
        for name, value in run.values.items():
            assert scalars[name] == [(run.step, pytest.approx(value, rel=1e-6))]
        assert hyper.pop("status") == run.status
        assert hyper == {name: pytest.approx(value) for name, value in run.parameters.items()}


def session_start(content: bytes) -> dict[str, Any]:
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

    given = HParamsPluginData.FromString(content).session_start_info.hparams
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in given.items()}


def test_a_second_handoff_adds_only_what_is_new(sweep: Sweep, studies: Path, store: Path, tmp_path: Path) -> None:
    to = f"tensorboard:{tmp_path}"
    opened, board = ResultStore.open(store), tmp_path / "own" / "half"
    first = sweep("handoff", f"{studies}:half", "--where", "objective=sound", "--store", store, "--to", to)
    assert first.out.startswith("own/half: 4 runs written")
    before = {path: path.stat().st_mtime_ns for path in board.rglob("events*")}
    again = sweep("handoff", f"{studies}:half", "--store", store, "--to", to)
    assert again.out == f"own/half: 4 runs written to {to}, 4 were there already\n"
    assert {path: path.stat().st_mtime_ns for path in before} == before
    row = opened.trials(None, [stored(store, studies)[0][-1].trial]).to_pylist()[0]
    opened.commit({"trials": [row | {"attempt": "another", "status": "completed"}]})  # it was tried again
    more = sweep("handoff", f"{studies}:half", "--store", store, "--to", to)
    assert more.out == f"own/half: 1 runs written to {to}, 7 were there already\n"
    assert len(list(board.iterdir())) == 9


def test_a_run_whose_writer_was_killed_is_written_again(half_done: Path, studies: Path, tmp_path: Path) -> None:
    study, opened = find([f"{studies}:half"])[0].study, ResultStore.open(half_done)
    board = TensorBoardRuns(str(tmp_path), study.name)
    hand_over(study, opened, board)
    whole = sorted((tmp_path / study.name).iterdir())
    whole[0].rename(whole[0].with_name(whole[0].name + ".partial"))
    assert hand_over(study, opened, board) == (1, 7)
    assert sorted((tmp_path / study.name).iterdir()) == whole


def test_trials_that_are_not_stored_yet_are_told(sweep: Sweep, studies: Path, half_done: Path, tmp_path: Path) -> None:
    told = sweep("handoff", f"{studies}:long", "--store", half_done, "--to", f"tensorboard:{tmp_path}")
    assert told.out == f"own/long: 0 runs written to tensorboard:{tmp_path}, 4 trials are not stored yet\n"


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("tensorbord:x", "no hand-off to 'tensorbord'; did you mean tensorboard?"),
        ("mlflow", "a hand-off to mlflow says where: mlflow:URI, not 'mlflow'"),
        ("tensorboard:s3://bucket", "written to a local folder, not to 's3://bucket'"),
        ("tensorboard:/dev/null/x", "cannot be made: Not a directory"),
    ],
)
def test_a_mistake_is_one_line(sweep: Sweep, studies: Path, half_done: Path, to: str, told: str) -> None:
    ended = sweep("handoff", f"{studies}:half", "--store", half_done, "--to", to)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert told in ended.err


@pytest.mark.parametrize(
    ("to", "module", "told"),
    [
        ("mlflow:file:///x", "mlflow", "MLflow is not installed: pip install mlflow"),
        ("wandb:x", "wandb", "W&B is not installed: pip install wandb"),
        ("tensorboard:x", "tensorboardX", "tensorboardX is not installed: pip install tensorboardX"),
    ],
)
def test_a_missing_library_is_one_line(
    sweep: Sweep, studies: Path, half_done: Path, monkeypatch: pytest.MonkeyPatch, to: str, module: str, told: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]  # what an import of it then finds
    ended = sweep("handoff", f"{studies}:half", "--store", half_done, "--to", to)
    assert (ended.code, ended.out, ended.err) == (2, "", f"sweep: error: {told}\n")


def test_destinations_names_and_portions() -> None:
    assert split("mlflow:http://host:5000") == ("mlflow", "http://host:5000")
    with pytest.raises(HandoffError):
        split("tensorboard:")
    assert [named(one) for one in ("objective.beta[0]", "rate@z1", "not measured: x")] == [
        "objective.beta.0",
        "rate.z1",
        "not measured: x",
    ]
    assert list(portions(range(5), 2)) == [[0, 1], [2, 3], [4]]


def in_a_process(*arguments: object, **variables: str) -> str:
    """`sweep` in a process of its own: these libraries start services and threads, and warn as they like."""
    command = [sys.executable, "-m", "sweep", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_mlflow_gets_runs_that_its_client_finds(studies: Path, half_done: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow.tracking", reason="MLflow is not installed (extra mlflow)")
    to = f"mlflow:file://{tmp_path}"
    hand = ("handoff", f"{studies}:half", "--store", half_done, "--to", to)
    allowed = {"MLFLOW_ALLOW_FILE_STORE": "true"}  # a store without a server or a data base
    assert in_a_process(*hand, **allowed) == f"own/half: 8 runs written to {to}\n"
    assert in_a_process(*hand, **allowed) == f"own/half: 0 runs written to {to}, 8 were there already\n"
    program = (
        "import json, sys; from mlflow.tracking import MlflowClient\n"
        "client = MlflowClient(tracking_uri=sys.argv[1]); out = []\n"
        "for run in client.search_runs([client.get_experiment_by_name('own/half').experiment_id]):\n"
        "    names = [name for name in run.data.metrics if name.startswith('curves/')]\n"
        "    curves = {name: [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, name)]"
        " for name in names}\n"
        "    out.append([run.data.tags, run.data.params, run.data.metrics, curves, run.info.status])\n"
        "print(json.dumps(out))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, f"file://{tmp_path}"],
        capture_output=True, text=True, env=os.environ | allowed, check=True,
    )  # fmt: skip
    found = {one[0]["ratesweep.attempt"]: one for one in json.loads(ended.stdout)}
    for run in stored(half_done, studies)[0]:
        tags, parameters, metrics, curves, status = found.pop(run.attempt)
        assert parameters == {named(name): str(value) for name, value in run.parameters.items()}
        assert {name: tags[f"ratesweep.{name}"] for name in run.tags} == run.tags
        assert {name: metrics[named(name)] for name in run.values} == run.values
        for name, (steps, values) in run.curves.items():
            assert sorted(map(tuple, curves[f"curves/{name}"])) == list(zip(steps, values, strict=True))
        assert status == ("FINISHED" if run.status == "completed" else "FAILED")
    assert found == {}


@pytest.mark.slow
def test_wandb_gets_offline_runs(studies: Path, half_done: Path, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="W&B is not installed (extra wandb)")
    hand = ("handoff", f"{studies}:half", "--store", half_done, "--to", "wandb:rates")
    offline = {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path)}
    assert in_a_process(*hand, **offline) == "own/half: 8 runs written to wandb:rates\n"
    assert in_a_process(*hand, **offline) == "own/half: 0 runs written to wandb:rates, 8 were there already\n"
    program = (
        "import json, sys, pathlib; from wandb.proto import wandb_internal_pb2 as pb\n"
        "out = {'history': [], 'summary': {}, 'config': {}}\n"
        "data = pathlib.Path(sys.argv[1]).read_bytes(); place, whole = 7, b''\n"
        "while place + 7 <= len(data):\n"  # LevelDB's log: blocks of 32 KiB; checksum, length, kind, bytes
        "    if 32768 - place % 32768 < 7: place += 32768 - place % 32768; continue\n"
        "    length, kind = int.from_bytes(data[place + 4:place + 6], 'little'), data[place + 6]\n"
        "    whole += data[place + 7:place + 7 + length]; place += 7 + length\n"
        "    if kind not in (1, 4): continue\n"
        "    record, whole = pb.Record.FromString(whole), b''\n"
        "    key = lambda item: item.key or '.'.join(item.nested_key)\n"
        "    read = lambda items: {key(one): json.loads(one.value_json) for one in items}\n"
        "    if record.HasField('history'): out['history'].append(read(record.history.item))\n"
        "    if record.HasField('summary'): out['summary'] |= read(record.summary.update)\n"
        "    if record.HasField('run'): out['config'] |= read(record.run.config.update); "
        "out['id'] = record.run.run_id; out['name'] = record.run.display_name\n"
        "print(json.dumps(out))"
    )
    found = {}
    for path in (tmp_path / "wandb").glob("offline-run-*/*.wandb"):
        ended = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
        found[json.loads(ended.stdout)["id"]] = json.loads(ended.stdout)
    for run in stored(half_done, studies)[0]:
        kept = found.pop(run.attempt)
        assert kept["name"] == run.trial
        assert {name: kept["config"][name] for name in run.parameters} == run.parameters
        assert {name: kept["summary"][name] for name in run.values} == run.values
        assert [row["step"] for row in kept["history"]] == list(run.by_step)
        for row, values in zip(kept["history"], run.by_step.values(), strict=True):
            assert {name: row[f"curves/{name}"] for name in values} == values
    assert found == {}
