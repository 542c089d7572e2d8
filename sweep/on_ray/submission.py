"""Submission: a launch as a job of a Ray cluster, which runs on when the machine that submitted it is closed.

Ray's job server (on the head, port 8265) runs a command; here it is the same `sweep launch` as everywhere, with the
address of its own cluster. Whether a cluster asks for a token, and which, is Ray's own configuration (RAY_AUTH_MODE,
RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH, ~/.ray/auth_token).
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import shlex
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sweep.executor import ExecutorError
from sweep.exit_codes import BAD_INPUT, INTERRUPTED
from sweep.on_ray.environment import CONNECT_SECONDS, one_line

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

PORT = 8265
POLL_SECONDS = 1.0
STOP_SECONDS = 120  # that a stopped job's driver has to end resumably; Ray's own 3 s are too few for a checkpoint
_OVERRIDING = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")  # Ray takes these for the address that it is given
_SLUG = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A launch to be submitted.

    words: the command line of `sweep launch`, without these two words and without an address. studies: their names;
    store: as the job will name it. files: the users' own files, by the name that `words` call them; folder: what else
    travels with the job, None for nothing.
    """

    words: Sequence[str]
    studies: Sequence[str]
    store: str
    files: Mapping[str, Path] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def entrypoint(self) -> str:
        """What the head runs."""
        return shlex.join(["python", "-m", "sweep", "launch", *self.words, "--address", "auto"])

    @property
    def metadata(self) -> dict[str, str]:
        """What the job says of itself, by which another submission of the same is found."""
        return {"ratesweep_studies": ",".join(self.studies), "ratesweep_store": self.store}

    def identity(self, at: time.struct_time) -> str:
        """An id for Ray that says what and when."""
        slug = _SLUG.sub("-", "-".join(self.studies)).strip("-")[:40].rstrip("-")
        return f"sweep-{slug}-{time.strftime('%Y%m%dT%H%M%S', at)}"


def job_server(address: str) -> str:
    """The address of a job server; raises ExecutorError where it is none, or nobody listens there."""
    parts = urlsplit(address)
    with contextlib.suppress(ValueError):
        if parts.scheme in ("http", "https") and parts.hostname:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            try:
                with socket.create_connection((parts.hostname, port), timeout=CONNECT_SECONDS):
                    return address.rstrip("/")
            except OSError as error:
                why = error.strerror or one_line(error)
                raise ExecutorError(f"no job server of Ray listens at {address}: {why}") from None
    raise ExecutorError(
        f"--address is that of the head's job server, http://HEAD:{PORT}, not {address!r} "
        "(host:port without http:// is for sweep launch, on a node of the cluster)"
    )


class JobServer:
    """The job server of a cluster. Raises ExecutorError, in one line, for whatever it refuses."""

    def __init__(self, address: str) -> None:
        if importlib.util.find_spec("ray") is None or importlib.util.find_spec("aiohttp") is None:
            raise ExecutorError("Ray's job client is not installed here: install ratesweep[cluster]")
        self.address = job_server(address)
        self._client = self._connected()

    def _connected(self) -> JobSubmissionClient:
        from ray.job_submission import JobSubmissionClient

        with self._refusals(), _without(_OVERRIDING):
            return JobSubmissionClient(self.address)

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        import requests
        from ray.exceptions import AuthenticationError

        logging.disable(logging.INFO)  # of uploads, which are none of the user's business
        try:
            yield
        except AuthenticationError:
            raise ExecutorError(
                f"{self.address} asks for another token (401): set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or "
                "RAY_AUTH_TOKEN_PATH to that of the cluster"
            ) from None
        except (RuntimeError, ConnectionError, ValueError, requests.RequestException) as error:
            raise ExecutorError(f"the job server at {self.address} refuses: {_reason(error)}") from None
        finally:
            logging.disable(logging.NOTSET)

    def running(self, submission: Submission) -> str | None:
        """The id of a job that has not ended and launches one of these studies into the same store."""
        with self._refusals():
            jobs = self._client.list_jobs()
        for job in jobs:
            told: Mapping[str, Any] = job.metadata or {}
            studies = set(str(told.get("ratesweep_studies", "")).split(","))
            same = told.get("ratesweep_store") == submission.store and not studies.isdisjoint(submission.studies)
            if same and not job.status.is_terminal():
                return str(job.submission_id)
        return None

    def submit(self, submission: Submission, identity: str) -> None:
        """Hands the launch to the cluster, with the users' own files."""
        with tempfile.TemporaryDirectory(prefix="ratesweep-") as folder, self._refusals():
            environment: dict[str, Any] = {"env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS)}}
            if submission.folder is not None:
                environment["working_dir"] = str(submission.folder)
            elif submission.files:
                for name, path in submission.files.items():
                    (Path(folder) / name).write_bytes(path.read_bytes())
                environment["working_dir"] = folder
            self._client.submit_job(
                entrypoint=submission.entrypoint,
                submission_id=identity,
                runtime_env=environment,
                metadata=submission.metadata,
            )

    def follow(self, identity: str, show: Callable[[str], object]) -> int:
        """Shows what a job prints until it has ended, and returns its exit code."""
        shown = 0
        while True:
            with self._refusals():
                status = self._client.get_job_status(identity)  # before the logs, so that none are missed
                text = self._client.get_job_logs(identity)
            show(text[shown:])
            shown = len(text)
            if status.is_terminal():
                break
            time.sleep(POLL_SECONDS)
        with self._refusals():
            job = self._client.get_job_info(identity)
        if job.driver_exit_code is not None and job.driver_exit_code >= 0:
            return int(job.driver_exit_code)
        if not text:  # the command itself never ran
            show(f"{job.message or ''}\n")
        return INTERRUPTED if status.value == "STOPPED" else BAD_INPUT if not text else 1


def _reason(error: BaseException) -> str:
    """One line; of a traceback that the server sends, its last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" .")]
    return lines[-1][:300] if "Traceback" in str(error) else one_line(error)


@contextlib.contextmanager
def _without(names: Sequence[str]) -> Iterator[None]:
    """The environment without some variables."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)
