"""What tests of several packages share: synthetic frames of the digits studies, official files of data sets, a server
to download from, object storage, and a real browser."""

from __future__ import annotations

import contextlib
import html
import http.client
import os
import re
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from results.frame import Frame

# What `models.training.process.prepare` sets in a worker, before anything here computes; Ray must ask for no token.
os.environ.update(MKL_CBWR="AUTO,STRICT", OMP_NUM_THREADS="1", RAY_AUTH_MODE="disabled")
# No test downloads by accident, or finds what the user of this machine has downloaded.
os.environ.update(RATESWEEP_OFFLINE="1", RATESWEEP_DATA="/nonexistent/data")
os.environ.pop("RATESWEEP_MIRROR", None)

# The same examples in every run: a red run can be repeated, and a green one means the same everywhere.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

REQUIRE_ALL = os.environ.get("RATESWEEP_REQUIRE_ALL") == "1"  # a skip for a missing program is then a failure
GRID = tuple(float(f"{value:.9g}") for value in np.logspace(-1, 1, 21))
CLASSIFIERS = {"logistic": 0.84, "svm_linear": 0.86, "svm_rbf": 0.95, "knn": 0.93}  # accuracy at much information
OBJECTIVES = {"β = 1": (18.0, 99.0), "β = 0.1": (31.0, 90.5), "annealed": (18.6, 98.1), "free bits": (21.0, 96.4)}


def hvae_frame(points: tuple[float, ...] = GRID, *, missing: int = 0, **more: str) -> Frame:
    """A frame of digits/hvae with smooth surfaces of plausible size and a little noise; the last trials are missing."""
    from results.frame import Frame

    beta2, beta1 = (part.ravel() for part in np.meshgrid(points, points, indexing="ij"))
    noise = np.random.default_rng(0)
    size = len(beta2)
    rate_z2 = 13.0 / (1 + (1.1 * beta2) ** 1.25) * beta1**0.12 / (1 + 0.25 / (beta1 + 0.1))
    rate_z1 = 24.0 / (1 + (0.9 * beta1) ** 0.85) * (1 - 0.03 * rate_z2)
    rate = rate_z1 + rate_z2
    distortion = 84 + 52 * np.exp(-rate / 9) + 0.02 * rate_z2**2
    columns: dict[str, np.ndarray] = {
        "rate_z1": rate_z1,
        "rate_z2": rate_z2,
        "rate": rate,
        "distortion": distortion,
        "elbo": -(rate + distortion),
        "psnr": 22.5 - 11 * np.exp(-rate / 11) - 0.1 * rate_z2 + noise.normal(0, 0.05, size),
        "mutual_information@z2": np.log(10) * (1 - np.exp(-rate_z2 / 2.2)),
    }
    for name, best in CLASSIFIERS.items():
        known2, known1 = 1 - np.exp(-rate_z2 / 2.5), 1 - np.exp(-rate / 5)
        crowding = 0.006 * np.maximum(rate_z2 - 8, 0)
        columns[f"accuracy_{name}@z2"] = 0.1 + (best - 0.1) * known2 - crowding + noise.normal(0, 0.012, size)
        columns[f"accuracy_{name}@z1"] = 0.1 + (best - 0.08) * known1 - 0.1 / (1 + beta1) + noise.normal(0, 0.012, size)
    axes = {"objective.beta[1]": beta2, "objective.beta[0]": beta1}
    trials = _rows(axes | columns, settings=[f"setting-{row:03d}" for row in range(size)], seeds=[0] * size)
    gone = trials.index[size - missing :]
    trials.loc[gone, "status"] = "missing"
    trials.loc[gone, list(columns)] = np.nan
    return Frame(
        study=more.get("study", "digits/hvae"),
        question="Which allocation of rate between two layers of latents is best for what?",
        axes=tuple(axes),
        quantities=_quantities(columns),
        trials=trials,
        reduced=more.get("reduced", ""),
        arrays=_arrays,
    )


def objectives_frame() -> Frame:
    """A frame of digits/objectives: five objectives at three seeds each."""
    from results.frame import Frame

    noise = np.random.default_rng(1)
    places = OBJECTIVES | {"target rate": (25.0, 93.6)}
    labels = [label for label in places for _ in range(3)]
    rate = np.array([places[label][0] for label in labels]) + noise.normal(0, 0.25, len(labels))
    distortion = np.array([places[label][1] for label in labels]) + noise.normal(0, 0.35, len(labels))
    columns = {"rate_z1": rate, "rate": rate, "distortion": distortion, "elbo": -(rate + distortion)}
    trials = _rows(columns, settings=[f"setting-{label}" for label in labels], seeds=[0, 1, 2] * len(places))
    trials.insert(3, "objective", labels)
    return Frame(
        study="digits/objectives",
        question="How do the usual ways of controlling the rate compare?",
        axes=("objective",),
        quantities=_quantities(columns),
        trials=trials,
        arrays=_arrays,
    )


def _rows(columns: Mapping[str, np.ndarray], *, settings: list[str], seeds: list[int]) -> pd.DataFrame:
    size = len(settings)
    about = {
        "trial": [f"{row:016x}" for row in range(size)],
        "setting": settings,
        "seed": seeds,
        "status": "completed",
        "reason": "",
    }
    return pd.DataFrame(about | dict(columns), index=pd.RangeIndex(size))


def _quantities(names: Mapping[str, object]) -> tuple[object, ...]:
    from results.quantity import Quantity

    minimised = {"distortion"}
    return tuple(
        Quantity(name=name, unit="nats", goal="minimise" if name in minimised else "maximise", family="tests:none")
        for name in names
    )


def _arrays(trial: str, name: str) -> np.ndarray | None:
    """Ten real digits, one a class, as originals; blurred as reconstructions; other digits as samples."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    first = np.array([np.flatnonzero(digits.target == label)[0] for label in range(10)])
    images = digits.images[first if name != "samples" else first + 40 + int(trial, 16) % 7]
    if name == "reconstructions":
        images = 0.6 * images + 0.1 * sum(np.roll(images, shift, axis) for shift in (1, -1) for axis in (1, 2))
    return images[:, None].round().clip(0, 16).astype(np.uint8)


@pytest.fixture
def files_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of stores in folders that are opened or read in this process from now on, by name, each time again."""
    from results.files import LocalFiles

    found: list[str] = []

    def counted(call: Callable[[LocalFiles, str], Any]) -> Callable[[LocalFiles, str], Any]:
        def noted(files: LocalFiles, name: str) -> Any:
            found.append(name)
            return call(files, name)

        return noted

    for name in ("open", "read"):
        monkeypatch.setattr(LocalFiles, name, counted(getattr(LocalFiles, name)))
    return found


@pytest.fixture(scope="session")
def hvae() -> Callable[..., Frame]:
    """`hvae_frame`, for tests anywhere."""
    return hvae_frame


@pytest.fixture(scope="session")
def objectives() -> Callable[[], Frame]:
    """`objectives_frame`, for tests anywhere."""
    return objectives_frame


@pytest.fixture
def compile_latex(tmp_path: Path) -> Callable[..., str]:
    """The log of pdflatex on an article of LaTeX fragments: compile_latex(fragments, packages="booktabs").

    It fails where they do not compile. Without pdflatex the test is skipped, or fails where no skip is allowed.
    """
    if shutil.which("pdflatex") is None:
        if REQUIRE_ALL:
            pytest.fail("pdflatex is missing, and RATESWEEP_REQUIRE_ALL=1 allows no skip")
        pytest.skip("pdflatex is not installed")

    def log(fragments: Iterable[str], packages: str = "booktabs") -> str:
        body = "\n".join(fragments)
        source = (
            f"\\documentclass{{article}}\n\\usepackage{{{packages}}}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"
        )
        (tmp_path / "tables.tex").write_text(source)
        run = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, run.stdout[-2000:]
        return run.stdout

    return log


@pytest.fixture(scope="session")
def official_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official files, laid out as the cache has them. Not to be written to; skips where they are not here.

    They are looked for in the folder that RATESWEEP_TEST_DATA names, then in shared/data beside the checkout.
    """
    named = os.environ.get("RATESWEEP_TEST_DATA")
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = tmp_path_factory.mktemp("official")
    for official in ("mnist", "fashion-mnist"):
        places = [Path(named) / official] if named else [beside / official, beside / official.replace("-", "_")]
        place = next((place for place in places if place.is_dir()), None)
        if place is None:
            pytest.skip(f"no official files of {official} in {named or beside}; RATESWEEP_TEST_DATA names their folder")
        (folder / official).symlink_to(place, target_is_directory=True)
    return folder


@pytest.fixture
def data_folder(official_files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The official files as what RATESWEEP_DATA names."""
    monkeypatch.setenv("RATESWEEP_DATA", str(official_files))
    return official_files


@dataclass
class Answer:
    """What a server says to one address. length: what it promises, where that is not so; held: it waits for this after
    half of the body."""

    body: bytes = b""
    status: int = 200
    length: int | None = None
    held: threading.Event | None = None


@dataclass
class FileServer:
    """A real HTTP server on the loopback interface: `answers` by path, and the paths that were asked for."""

    address: str
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def serve(self, path: str, body: bytes, **how: Any) -> Answer:
        """Answers to `path` with `body`, as `how` says."""
        self.answers[path] = Answer(body=body, **how)
        return self.answers[path]


@pytest.fixture
def file_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server that may be downloaded from."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            answer = served.answers.get(self.path, Answer(status=404))
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
            self.end_headers()
            half = len(answer.body) // 2
            self.wfile.write(answer.body[:half])
            if answer.held is not None:
                self.wfile.flush()
                answer.held.wait(30)
            self.wfile.write(answer.body[half:])

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: object) -> None:
            """A client that is gone is what some tests are about."""

    for name in ("RATESWEEP_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server(("127.0.0.1", 0), Handler) as server:
        served = FileServer(address=f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield served
        finally:
            for answer in served.answers.values():
                if answer.held is not None:
                    answer.held.set()
            server.shutdown()


@dataclass(frozen=True, kw_only=True)
class ObjectStorage:
    """A real S3 API on the loopback interface."""

    port: int

    def make(self, bucket: str) -> None:
        address = f"http://127.0.0.1:{self.port}/{bucket}"
        urllib.request.urlopen(urllib.request.Request(address, method="PUT"), timeout=30).close()

    def address(self, place: str, port: int | None = None) -> str:
        """Of a store at "bucket/prefix", here or behind a proxy at `port`."""
        return f"s3://{place}?scheme=http&endpoint_override=127.0.0.1:{port or self.port}&region=us-east-1"

    def keys(self, bucket: str) -> list[str]:
        """All objects of a bucket, as any client sees them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{bucket}?list-type=2", timeout=30) as answer:
            return [html.unescape(key) for key in re.findall("<Key>(.*?)</Key>", answer.read().decode())]


@pytest.fixture(scope="session")
def object_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStorage]:
    """moto's server, in a process of its own; RATESWEEP_MOTO names its program where it is not beside this Python."""
    beside = [Path(sys.executable).parent, Path(__file__).resolve().parents[1] / ".venv-moto" / "bin"]
    program = os.environ.get("RATESWEEP_MOTO") or shutil.which("moto_server", path=os.pathsep.join(map(str, beside)))
    if program is None:
        reason = "moto_server is not installed (make .venv-moto/ready)"
        if REQUIRE_ALL:
            pytest.fail(reason)
        pytest.skip(reason)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("w") as told, pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        server = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=told, stderr=told)
        try:
            for _ in range(300):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                assert server.poll() is None, log.read_text()
                time.sleep(0.1)
            yield ObjectStorage(port=port)
        finally:
            server.terminate()
            server.wait()


@dataclass
class FaultyProxy:
    """A proxy before object storage that counts what passes, and fails as it is told.

    fails: "slow" (503 SlowDown), "denied" (403 AccessDenied), "reset" (the connection breaks): the next `left` requests
    of those that `chosen` picks by "METHOD path". seen: all requests. after: called when one has been answered.
    """

    storage: ObjectStorage
    port: int = 0
    fails: str = ""
    left: int = 0
    chosen: Callable[[str], bool] = lambda request: True
    after: Callable[[str], None] = lambda request: None
    seen: list[str] = field(default_factory=list)

    def address(self, place: str) -> str:
        return self.storage.address(place, self.port)

    def fail(self, how: str, times: int, chosen: Callable[[str], bool] = lambda request: True) -> None:
        self.fails, self.left, self.chosen = how, times, chosen

    def takes(self, request: str) -> bool:
        """Whether this request is to fail."""
        self.seen.append(request)
        if self.left <= 0 or not self.chosen(request):
            return False
        self.left -= 1
        return True


_ANSWERS = {"slow": (503, "SlowDown", "Please reduce your request rate."), "denied": (403, "AccessDenied", "No.")}


@pytest.fixture
def faulty_proxy(object_storage: ObjectStorage) -> Iterator[FaultyProxy]:
    """See `FaultyProxy`; it speaks HTTP to both sides, and the client is Arrow's own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_all(self) -> None:
            body = self.read_body()
            request = f"{self.command} {self.path}"
            if proxy.takes(request):
                self.fail()
                return
            connection = http.client.HTTPConnection("127.0.0.1", object_storage.port, timeout=30)
            headers = {
                name: value
                for name, value in self.headers.items()
                if name.lower() not in ("expect", "transfer-encoding")
            }
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            proxy.after(request)
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def read_body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_all

        def fail(self) -> None:
            self.close_connection = True
            if proxy.fails == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                return
            status, code, message = _ANSWERS[proxy.fails]
            content = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: object) -> None:
            """A client that is gone is what some tests are about."""

    proxy = FaultyProxy(storage=object_storage)
    with Server(("127.0.0.1", 0), Handler) as server:
        proxy.port = server.server_port
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield proxy
        finally:
            server.shutdown()


@pytest.fixture
def bucket(object_storage: ObjectStorage) -> str:
    """A new bucket."""
    name = f"bucket-{secrets.token_hex(4)}"
    object_storage.make(name)
    return name


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium; skips without one, or fails where everything is required."""
    from results.static_images import find_chromium, missing_chromium

    found = find_chromium()
    if found is None or shutil.which("chromedriver") is None:
        reason = missing_chromium() or "no chromedriver on PATH (for instance `apt-get install chromium-driver`)"
        if REQUIRE_ALL:
            pytest.fail(reason)
        pytest.skip(reason)
    return str(found)


@pytest.fixture
def browser(chromium: str) -> Iterator[Any]:
    """A headless browser that logs its console and its requests, with WebGL in software."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--enable-unsafe-swiftshader",
        "--hide-scrollbars",
        "--window-size=1280,1000",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_page_load_timeout(120)
    yield driver
    driver.quit()
