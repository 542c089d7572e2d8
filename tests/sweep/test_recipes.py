"""Recipes: linted, run with the shell, read as YAML, and always the same launch at their end."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from sweep.cli.main import parser

Sweep = Callable[..., Any]
EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "recipes").iterdir())
STORE = ("--store", "/shared/runs")
IMAGE = ("--image", "registry.example/ratesweep:1")
CONDITION = "objective.beta[0]=1.0"
WHERE = ("--where", CONDITION, "--where", "objective.beta[1]<64")


def made(sweep: Sweep, *arguments: object) -> str:
    told = sweep("recipe", *arguments)
    assert (told.code, told.err) == (0, "")
    return str(told.out)


def check_launch(words: list[str]) -> Any:
    """That a command line is a launch which is understood; what it says."""
    assert words[:4] == ["python", "-m", "sweep", "launch"]
    assert words[-2:] == ["--address", "auto"]
    return parser().parse_args(words[3:])


# Examples


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_committed_examples_are_what_their_first_line_makes(sweep: Sweep, example: Path) -> None:
    text = example.read_text()
    line = next(line for line in text.splitlines() if line.startswith("# Made by: "))
    assert made(sweep, *shlex.split(line.removeprefix("# Made by: "))[2:]) == text
    if example.suffix == ".sh":
        lint(text)
    else:
        check_job(yaml.safe_load(text))


def test_there_is_an_example_of_each() -> None:
    assert [path.name for path in EXAMPLES] == ["kuberay.yaml", "slurm.sh"]


# Slurm


def lint(script: str) -> None:
    found = subprocess.run(
        [Path(sys.executable).with_name("shellcheck"), "-"], input=script, capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def directives(script: str) -> dict[str, str]:
    lines = [line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH")]
    pairs = [line.partition("=") for line in lines]
    assert len({name for name, _, _ in pairs}) == len(pairs)
    return {name: value for name, _, value in pairs}


def launch_of(script: str) -> list[str]:
    (line,) = [line for line in script.splitlines() if line.lstrip().startswith("python -m sweep")]
    return shlex.split(line.removesuffix(" &"))


def test_a_batch_script_is_clean_and_asks_slurm_for_what_was_asked(sweep: Sweep) -> None:
    more = ("--partition", "gpu", "--account=lab", "--setup", "module load cuda", "--setup=source ~/venv/bin/activate")
    script = made(sweep, "slurm", "digits/hvae", *STORE, *WHERE, "--nodes", 4, "--gpus=8", "--time", "1-12:00", *more)
    lint(script)
    assert script.startswith("#!/bin/bash\n")
    head = script[: script.index("\nset -u")].splitlines()
    assert all(line.startswith("#") for line in head)  # sbatch reads no directive after the first command
    assert directives(script) == {
        "--job-name": "sweep-digits-hvae",
        "--nodes": "4",
        "--ntasks-per-node": "1",
        "--exclusive": "",
        "--gpus-per-node": "8",
        "--time": "1-12:00",
        "--partition": "gpu",
        "--account": "lab",
        "--signal": "B:USR1@300",
        "--requeue": "",
        "--open-mode": "append",
        "--output": "%x-%j.log",
    }
    assert {"module load cuda", "source ~/venv/bin/activate"} <= set(script.splitlines())
    launch = check_launch(launch_of(script))
    assert (launch.names, launch.store, launch.device) == (["digits/hvae"], "/shared/runs", "cuda")
    assert launch.where == [CONDITION, "objective.beta[1]<64"]


def test_without_gpus_none_are_asked_for(sweep: Sweep) -> None:
    script = made(sweep, "slurm", "digits", *STORE)
    lint(script)
    assert "--gpus-per-node" not in directives(script)
    assert check_launch(launch_of(script)).device == "auto"


def test_a_users_file_is_named_by_its_whole_path(sweep: Sweep, studies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(studies.parent)
    monkeypatch.setenv("RATESWEEP_STORE", "/shared/runs")
    launch = check_launch(launch_of(made(sweep, "slurm", "own.py:sound@small", "--seeds", 2)))
    assert (launch.names, launch.store, launch.seeds) == ([f"{studies.resolve()}:sound@small"], "/shared/runs", 2)


def test_two_files_of_one_name_are_told_apart_by_their_paths(
    sweep: Sweep, studies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Slurm, where nothing travels; a manifest for KubeRay holds their texts by their names."""
    (tmp_path / "own.py").write_text(studies.read_text().replace("test-faulty", "test-faulty-recipe"))
    monkeypatch.chdir(tmp_path)
    names = (f"{studies}:sound", "./own.py:half")
    launch = check_launch(launch_of(made(sweep, "slurm", *names, *STORE)))
    assert launch.names == [f"{studies.resolve()}:sound", f"{tmp_path.resolve()}/own.py:half"]
    ended = sweep("recipe", "kuberay", *names, *STORE, *IMAGE, "--claim", "nfs:/shared")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "names of their own, not twice own.py" in ended.err


@pytest.mark.parametrize("verb", ["submit", "recipe"])
def test_each_option_of_a_verbs_own_is_known_with_its_words(verb: str) -> None:
    """Else a word of it would be handed on to `sweep launch`."""
    verbs = next(action.choices for action in parser()._actions if isinstance(action.choices, dict))
    own = verbs[verb].get_default("own")
    usual = verbs["launch"]._option_string_actions
    assert own.keys() - {"-h", "--help", "--address"} == verbs[verb]._option_string_actions.keys() - usual.keys()
    for option, words in own.items():
        assert verbs[verb]._option_string_actions[option].nargs == (None if words else 0)


# What stands for the programs of a cluster. The launch notes what it gets, and ends as it is told.
PROGRAMS = {
    "srun": """
        [ -z "$SLOW_SRUN" ] || { echo waiting > "$NOTES/srun"; exec sleep 60; }
        shift 2 # its own two options
        "$@"
    """,
    "ray": """
        [ "$1" = symmetric-run ] && [ "$RAY_AUTH_MODE" = token ] && [ "${#RAY_AUTH_TOKEN}" = 64 ] || exit 90
        echo "$@" > "$NOTES/ray"
        [ -z "$BROKEN_RAY" ] || { echo "Failed to start Ray: no port" >&2; exit 0; } # as Ray ends then
        while [ "$1" != -- ]; do shift; done
        shift
        "$@"
    """,
    "python": """
        trap 'echo TERM > "$NOTES/signal"; exit 75' TERM
        trap 'echo USR1 > "$NOTES/signal"; exit 91' USR1
        printf '%s\\n' "$@" > "$NOTES/launch"
        [ "$ENDS" != never ] || while :; do sleep 0.02; done
        exit "$ENDS"
    """,
    "scontrol": 'echo "$@" > "$NOTES/scontrol"',
    "hostname": "echo 10.0.0.7 10.1.0.7",
}


@dataclass
class Batch:
    """A batch script that runs, with what stood for the cluster noted down."""

    process: subprocess.Popen[str]
    notes: Path
    printed: str = ""

    def note(self, name: str) -> str | None:
        path = self.notes / name
        return path.read_text().strip() if path.exists() else None

    def until(self, name: str) -> None:
        deadline = time.monotonic() + 30
        while not self.note(name):
            assert time.monotonic() < deadline
            assert self.process.poll() is None
            time.sleep(0.01)

    def end(self) -> int:
        self.printed, _ = self.process.communicate(timeout=30)
        return self.process.returncode


@pytest.fixture
def batch(sweep: Sweep, tmp_path: Path) -> Iterator[Callable[..., Batch]]:
    """Runs the script of digits/hvae: batch(how the launch ends, **more environment)."""
    (tmp_path / "bin").mkdir()
    for name, text in PROGRAMS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{dedent(text)}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "job.sh").write_text(made(sweep, "slurm", "digits/hvae", *STORE, "--where", CONDITION, "--nodes", 2))
    started: list[Batch] = []

    def run(ends: str, **more: str) -> Batch:
        notes = tmp_path / "notes"
        notes.mkdir()
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        variables = {
            "NOTES": str(notes),
            "ENDS": ends,
            "SLOW_SRUN": "",
            "BROKEN_RAY": "",
            "PATH": path,
            "TMPDIR": str(tmp_path),
        }
        slurm = {"SLURM_NNODES": "2", "SLURM_JOB_ID": "4711"}
        process = subprocess.Popen(
            ["bash", str(tmp_path / "job.sh")],
            env=os.environ | variables | slurm | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(Batch(process=process, notes=notes))
        return started[-1]

    yield run
    for one in started:
        if one.process.poll() is None:
            os.killpg(one.process.pid, signal.SIGKILL)
            one.process.communicate()


@pytest.mark.parametrize("code", [0, 1, 2, 3, 75])
def test_a_batch_job_ends_as_its_launch_does(batch: Callable[..., Batch], code: int, tmp_path: Path) -> None:
    """75 too: of itself, a launch ends so where it was cancelled or the disk is full; nobody wants that again."""
    job = batch(str(code))
    assert job.end() == code
    assert job.note("scontrol") is None
    assert (job.note("ray") or "").startswith("symmetric-run --address 10.0.0.7:6379 --min-nodes 2 -- bash -c ")
    launched = ["-m", "sweep", "launch", "digits/hvae", *STORE, "--where", CONDITION, "--address", "auto"]
    assert (job.note("launch") or "").splitlines() == launched
    assert not list(tmp_path.glob("tmp.*"))  # nothing is left in the folder of temporary files


def test_a_job_whose_ray_does_not_start_has_failed(batch: Callable[..., Batch]) -> None:
    job = batch("0", BROKEN_RAY="1")
    assert job.end() == 1
    assert (job.note("launch"), job.note("scontrol")) == (None, None)
    assert job.printed.splitlines() == [
        "Failed to start Ray: no port",
        "sweep: error: the launch never began; what Ray says of that is above",
    ]


def test_ray_understands_what_a_batch_job_tells_it(batch: Callable[..., Batch]) -> None:
    from ray.scripts.symmetric_run import curate_and_validate_ray_start_args, symmetric_run

    job = batch("0")
    assert job.end() == 0
    words = shlex.split(job.note("ray") or "")
    own = words[1 : words.index("--")]
    assert symmetric_run.make_context("symmetric-run", [*own, "--", "true"]).params["min_nodes"] == 2
    assert curate_and_validate_ray_start_args(own) == []  # nothing is left for `ray start`


def test_before_the_time_limit_the_launch_alone_is_stopped_and_the_job_is_queued_again(
    batch: Callable[..., Batch],
) -> None:
    job = batch("never")
    job.until("launch")
    job.process.send_signal(signal.SIGUSR1)
    assert job.end() == 75
    assert (job.note("signal"), job.note("scontrol")) == ("TERM", "requeue 4711")


def test_a_job_that_is_ended_stops_its_launch_and_stays_ended(batch: Callable[..., Batch]) -> None:
    job = batch("never")
    job.until("launch")
    job.process.send_signal(signal.SIGTERM)
    assert job.end() == 75
    assert (job.note("signal"), job.note("scontrol")) == ("TERM", None)


def test_a_time_limit_before_the_launch_has_begun_queues_the_job_again(batch: Callable[..., Batch]) -> None:
    job = batch("0", SLOW_SRUN="1")
    job.until("srun")
    job.process.send_signal(signal.SIGUSR1)
    assert job.end() == 128 + signal.SIGTERM
    assert (job.note("launch"), job.note("scontrol")) == (None, "requeue 4711")


# KubeRay

# Of the API reference of ray.io/v1: field -> type, of those that are written here.
JOB = {
    "entrypoint": str, "submissionMode": str, "backoffLimit": int, "shutdownAfterJobFinishes": bool,
    "ttlSecondsAfterFinished": int, "runtimeEnvYAML": str, "rayClusterSpec": dict,
}  # fmt: skip
CLUSTER = {"rayVersion": str, "authOptions": dict, "headGroupSpec": dict, "workerGroupSpecs": list}
HEAD = {"rayStartParams": dict, "template": dict}
WORKERS = {"groupName": str, "replicas": int, "minReplicas": int, "maxReplicas": int, **HEAD}
POD = {"containers": list, "volumes": list}
CONTAINER = {"name": str, "image": str, "resources": dict, "envFrom": list, "volumeMounts": list}


def check_fields(value: dict[str, Any], known: dict[str, type], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    assert value.keys() <= known.keys()
    assert known.keys() - value.keys() <= set(optional)
    assert all(type(value[name]) is known[name] for name in value)
    return value


def check_job(job: dict[str, Any]) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """That a RayJob has the fields of its kind; the launch, and the containers of head and workers."""
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = check_fields(job["spec"], JOB)
    assert spec["submissionMode"] == "HTTPMode"
    assert yaml.safe_load(spec["runtimeEnvYAML"]) == {"env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": "120"}}
    cluster = check_fields(spec["rayClusterSpec"], CLUSTER)
    assert cluster["authOptions"] == {"mode": "token"}
    head = check_fields(cluster["headGroupSpec"], HEAD)
    assert head["rayStartParams"] == {"num-cpus": "0", "num-gpus": "0"}
    (workers,) = cluster["workerGroupSpecs"]
    check_fields(workers, WORKERS)
    assert workers["replicas"] == workers["minReplicas"] == workers["maxReplicas"]
    containers = []
    for group in (head, workers):
        pod = check_fields(group["template"]["spec"], POD, optional=("volumes",))
        (container,) = pod["containers"]
        check_fields(container, CONTAINER, optional=("envFrom", "volumeMounts"))
        mounted = [mount["name"] for mount in container.get("volumeMounts", ())]
        assert mounted == [volume["name"] for volume in pod.get("volumes", ())]
        containers.append(container)
    return check_launch(entrypoint_of(job)), *containers


def entrypoint_of(job: dict[str, Any]) -> list[str]:
    """The launch of a RayJob, without what its shell makes of the exit code."""
    command, ends, _ = str(job["spec"]["entrypoint"]).partition(" || ")
    assert ends
    return shlex.split(command)


@pytest.mark.parametrize(("code", "again"), [(0, False), (1, False), (2, False), (3, False), (75, True), (137, True)])
def test_a_ray_job_is_tried_again_only_where_its_launch_was_interrupted_or_killed(
    sweep: Sweep, tmp_path: Path, code: int, again: bool
) -> None:
    """As Ray runs it: by a shell, which knows of the launch whatever was written into the manifest."""
    job = yaml.safe_load(made(sweep, "kuberay", "digits/hvae", "--store", "s3://bucket/runs", *IMAGE, *WHERE))
    end = "kill -KILL $$" if code == 137 else f"exit {code}"
    (tmp_path / "python").write_text(f"#!/bin/sh\nprintf '%s\\n' python \"$@\"\n{end}\n")
    (tmp_path / "python").chmod(0o755)
    ended = subprocess.run(
        job["spec"]["entrypoint"],
        shell=True,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert check_launch(ended.stdout.splitlines()).where == [CONDITION, "objective.beta[1]<64"]
    assert (ended.returncode != 0) is again


def test_a_ray_job_has_the_fields_of_its_kind(sweep: Sweep) -> None:
    asked = ("--nodes", 4, "--gpus", 1, "--cpus", 6, "--memory", "24Gi", "--secret", "keys", "--retries", 3)
    text = made(sweep, "kuberay", "digits/hvae", "--store", "s3://bucket/runs", *IMAGE, *asked, *WHERE, "--seeds=2")
    job = yaml.safe_load(text)
    launch, head, worker = check_job(job)
    assert (launch.names, launch.store, launch.seeds, launch.device) == (["digits/hvae"], "s3://bucket/runs", 2, "cuda")
    assert launch.where == [CONDITION, "objective.beta[1]<64"]
    assert (job["metadata"], job["spec"]["backoffLimit"]) == ({"name": "sweep-digits-hvae"}, 3)
    assert job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["replicas"] == 4
    amounts = {"cpu": "6", "memory": "24Gi", "nvidia.com/gpu": "1"}
    assert worker["resources"] == {"requests": amounts, "limits": amounts}
    for container in (head, worker):
        assert container["image"] == IMAGE[1]
        assert container["envFrom"] == [{"secretRef": {"name": "keys"}}]
    assert "nvidia.com/gpu" not in head["resources"]["limits"]


def test_a_users_file_and_a_volume_are_mounted_where_the_launch_names_them(sweep: Sweep, studies: Path) -> None:
    text = made(sweep, "kuberay", f"{studies}:sound", *STORE, *IMAGE, "--claim", "nfs:/shared", "--job-name", "own")
    files, job = yaml.safe_load_all(text)
    _, head, worker = check_job(job)
    assert entrypoint_of(job)[4] == "/studies/own.py:sound"
    assert (files["apiVersion"], files["kind"], files["metadata"]) == ("v1", "ConfigMap", {"name": "own-studies"})
    assert files["data"] == {"own.py": studies.read_text()}
    assert head["volumeMounts"] == [
        {"name": "claim-nfs", "mountPath": "/shared"},
        {"name": "studies", "mountPath": "/studies"},
    ]
    assert worker["volumeMounts"] == [{"name": "claim-nfs", "mountPath": "/shared"}]
    volumes = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["volumes"]
    assert volumes == [
        {"name": "claim-nfs", "persistentVolumeClaim": {"claimName": "nfs"}},
        {"name": "studies", "configMap": {"name": "own-studies"}},
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("slurm", "digits"), "--store must mean the same on the nodes of the cluster"),
        (("slurm", "digits", "--store", "runs"), "not 'runs'"),
        (("slurm", "digits", *STORE, "--data", "data"), "--data must mean the same"),
        (("slurm", "digit", *STORE), "did you mean digits"),
        (("slurm", "digits", *STORE, "--image", "x"), "--image is for kuberay, not for slurm"),
        (("slurm", "digits", *STORE, "--time", "a day"), "hours:minutes:seconds or days-hours, not 'a day'"),
        (("slurm", "digits", *STORE, "--gpus", "-1"), "--gpus"),
        (("slurm", "digits", *STORE, "--out", "/nowhere/job.sh"), "cannot write /nowhere/job.sh: No such file"),
        (("pbs", "digits", *STORE), "invalid choice: 'pbs'"),
        (("kuberay", "digits", "--store", "s3://b/r"), "a RayJob needs an image"),
        (("kuberay", "digits", *STORE, *IMAGE), "--store /shared/runs would be lost with the pods"),
        (("kuberay", "digits", *STORE, *IMAGE, "--claim", "nfs"), "NAME:/PATH, not 'nfs'"),
        (("kuberay", "digits", *STORE, *IMAGE, "--memory", "lots"), "not 'lots'"),
        (("kuberay", "digits", *STORE, *IMAGE, "--partition", "p"), "--partition is for slurm, not for kuberay"),
        (
            ("kuberay", "digits", *STORE, *IMAGE, "--job-name", "My_Job"),
            "lower-case letters, digits and '-', not 'My_Job'",
        ),
    ],
)
def test_mistakes_are_one_line(sweep: Sweep, arguments: tuple[str, ...], told: str) -> None:
    ended = sweep("recipe", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    assert told in ended.err


def test_a_recipe_is_written_into_a_file(sweep: Sweep, tmp_path: Path) -> None:
    told = sweep("recipe", "slurm", "digits", *STORE, "--out", tmp_path / "job.sh")
    assert (told.code, told.out) == (0, f"{tmp_path}/job.sh\nnext: sbatch {tmp_path}/job.sh\n")
    lint((tmp_path / "job.sh").read_text())
