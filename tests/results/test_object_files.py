"""Object storage: one PUT a file, nothing half-written, few requests, and faults that pass, on a real S3 API."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from results import object_files
from results.files import NoStore, StoreError, Vanished
from results.object_files import ObjectFiles
from results.opening import locate
from results.store import ResultStore

Row = Callable[..., dict[str, Any]]


@pytest.fixture
def files(object_storage: Any, bucket: str) -> ObjectFiles:
    return ObjectFiles(object_storage.address(f"{bucket}/runs"))


@pytest.mark.parametrize(
    ("place", "found"),
    [("/data/my runs", "/data/my runs"), ("file:///data/my%20runs", "/data/my runs"), ("file://localhost/d", "/d")],
)
def test_a_folder_is_a_path_or_a_file_address(place: str, found: str) -> None:
    assert locate(place) == Path(found)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("hdfs://head/runs", "no store can be at hdfs://.*known: file://, s3://, gs://"),
        ("https://bucket/runs", "no store can be at https://"),
        ("file://other/runs", "is on another host .other.; a folder is file:///PATH"),
        ("s3:///runs", "names no bucket; an address is s3://BUCKET/PREFIX"),
        ("s3://AKIA:secret@bucket/runs", "holds no key; leave out what precedes @bucket, and set AWS_ACCESS_KEY_ID"),
        ("s3://bucket/runs?regoin=x", "takes no option 'regoin'; known: region, scheme"),
    ],
)
def test_an_address_that_cannot_be_is_one_line(place: str, told: str) -> None:
    with pytest.raises(StoreError, match=told) as caught:
        ResultStore.open(place)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_arrow_leaves_it_to_the_store_to_ask_google_again(
    file_server: Any, clock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself it would ask for a quarter of an hour; here, after ten seconds, it would find no object."""
    server = file_server.address.removeprefix("http://")
    accounts, name = "/computeMetadata/v1/instance/service-accounts", "/storage/v1/b/bucket/o/runs%2Fstore.json"
    file_server.serve(f"{accounts}/default/?recursive=true", b'{"email": "me", "scopes": ["all"]}')
    file_server.serve(f"{accounts}/me/token", b'{"access_token": "x", "expires_in": 3600, "token_type": "Bearer"}')
    file_server.serve(name, b"busy", status=503)
    monkeypatch.setenv("GCE_METADATA_ROOT", server)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    found_gone = threading.Timer(10, file_server.answers.pop, [name])
    found_gone.start()
    files = ObjectFiles(f"gs://bucket/runs?scheme=http&endpoint_override={server}", clock.backoff(seconds=1.0))
    with pytest.raises(StoreError, match=r"cannot read gs://bucket/runs/store\.json.*UNAVAILABLE.*; tried 2 times"):
        files.read("store.json")
    found_gone.cancel()
    assert clock.slept == [0.5]
    assert name in file_server.answers


@pytest.mark.slow
def test_a_bucket_that_is_not_there(object_storage: Any, bucket: str) -> None:
    for create in (True, False):
        with pytest.raises(StoreError, match="there is no bucket none-such; make it first"):
            ResultStore.open(object_storage.address("none-such/runs"), create=create)
    with pytest.raises(NoStore, match=f"no store at s3://{bucket}/runs; launch a study"):
        ResultStore.open(object_storage.address(f"{bucket}/runs"))
    assert object_storage.keys(bucket) == []
    ObjectFiles(object_storage.address(bucket)).write("notes.txt", b"mine")
    with pytest.raises(StoreError, match=f"s3://{bucket} is not a store .* holds other things .notes.txt"):
        ResultStore.open(object_storage.address(bucket), create=True)


@pytest.mark.slow
@pytest.mark.parametrize("size", [10, 70_000_000])
def test_nothing_half_written_is_ever_seen(files: ObjectFiles, object_storage: Any, bucket: str, size: int) -> None:
    """An exception in the middle, of a file in memory and of one on disk, in parts; Arrow would store what it has."""
    with contextlib.suppress(KeyError), files.create("trials/torn") as file:
        file.write(bytes(size))
        raise KeyError
    assert object_storage.keys(bucket) == []
    with files.create("trials/whole") as file:
        file.write(b"x" * size)
        assert object_storage.keys(bucket) == []
    assert files.read("trials/whole") == b"x" * size
    assert files.sizes("trials") == {"trials/whole": size}
    assert files.delete("trials/whole")
    assert not files.delete("trials/whole")
    for read in (files.open, files.read, files.size, files.age):
        with pytest.raises(Vanished):
            read("trials/whole")
    # The one thing beside files: Arrow leaves an empty object that stands for the folder.
    assert object_storage.keys(bucket) == ["runs/trials/"]
    assert files.names("trials") == []


@pytest.mark.slow
@pytest.mark.parametrize("built", ["at once", "on disk"])
def test_an_upload_in_parts_that_is_never_completed_does_not_appear(
    faulty_proxy: Any, bucket: str, clock: Any, built: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_files, "_IN_MEMORY", 1_000_000)
    behind = ObjectFiles(faulty_proxy.address(f"{bucket}/runs"), clock.backoff())
    faulty_proxy.fail("denied", 99, lambda request: "partNumber=2" in request)

    def build() -> None:
        with behind.create("trials/big") as file:
            file.write(bytes(30_000_000))

    send = build if built == "on disk" else lambda: behind.write("trials/big", bytes(30_000_000))
    with pytest.raises(StoreError, match=r"cannot write .*trials/big: .*ACCESS_DENIED"):
        send()
    assert [request for request in faulty_proxy.seen if "partNumber=1" in request]
    assert faulty_proxy.storage.keys(bucket) == []
    assert clock.slept == []


@pytest.mark.slow
def test_more_files_than_one_request_lists(files: ObjectFiles) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda number: files.write(f"trials/{number:04d}", b""), range(1_005)))
    assert files.names("trials") == [f"trials/{number:04d}" for number in range(1_005)]


def test_a_large_folder_that_never_holds_still_is_listed_all_the_same() -> None:
    class Changing(ObjectFiles):
        listings = 0

        def sizes(self, folder: str) -> dict[str, int]:
            self.listings += 1
            assert self.listings < 100
            return {f"{folder}/{self.listings}-{number:04d}": 1 for number in range(1_000)}

    changing = Changing("s3://bucket/runs?region=r&endpoint_override=127.0.0.1:1")
    names = changing.names("inflight")
    assert names == [f"inflight/{changing.listings}-{number:04d}" for number in range(1_000)]


def test_records_are_read_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """None comes before all are asked for; one is gone by then."""
    asked = threading.Barrier(5)

    def read(files: ObjectFiles, name: str) -> bytes:
        asked.wait(20)
        if name == "inflight/p3.json":
            raise Vanished(name)
        return b'{"of": "%s"}' % name.encode() if name != "inflight/p4.json" else b"torn"

    monkeypatch.setattr(ObjectFiles, "names", lambda files, folder: [f"{folder}/p{number}.json" for number in range(5)])
    monkeypatch.setattr(ObjectFiles, "read", read)
    store = ResultStore(ObjectFiles("s3://bucket/runs?region=r&endpoint_override=127.0.0.1:1"))
    assert store.inflight() == {f"p{number}": {"of": f"inflight/p{number}.json"} for number in range(3)}
    assert store.damaged == {"inflight/p4.json": "not JSON"}


@pytest.mark.slow
def test_what_a_store_costs_in_requests(faulty_proxy: Any, bucket: str, attempt: Row, metric: Row) -> None:
    """The numbers of docs/clusters.md."""
    address = faulty_proxy.address(f"{bucket}/runs")

    def cost(call: Callable[[], Any]) -> dict[str, int]:
        del faulty_proxy.seen[:]
        call()
        kinds = [request.split()[0] if "list-type" not in request else "LIST" for request in faulty_proxy.seen]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}

    store = ResultStore.open(address, create=True)
    assert cost(lambda: ResultStore.open(address)) == {"GET": 1, "HEAD": 1}
    assert cost(lambda: ResultStore.open(address, create=True)) == {"GET": 1, "HEAD": 1, "PUT": 1}
    rows = {"trials": [attempt("t", "a")], "metrics": [metric("t", "a", "rate", 1.0)]}
    assert cost(lambda: store.commit(rows, {"t/w": np.ones(3)})) == {"PUT": 3}
    assert cost(store.trials) == {"GET": 1, "HEAD": 1, "LIST": 1}
    assert cost(lambda: store.stop_requested("l")) == {"HEAD": 1}
    assert cost(lambda: store.mark_inflight("p", {})) == {"PUT": 1}
    assert cost(lambda: store.clear_inflight("p")) == {"DELETE": 1, "HEAD": 1, "PUT": 1}
    assert cost(lambda: store.load_checkpoint("p")) == {"HEAD": 1}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["slow", "reset"])
def test_faults_that_pass_are_waited_for(
    faulty_proxy: Any, bucket: str, attempt: Row, metric: Row, clock: Any, how: str
) -> None:
    ResultStore.open(faulty_proxy.address(f"{bucket}/runs"), create=True)
    store = ResultStore(ObjectFiles(faulty_proxy.address(f"{bucket}/runs"), clock.backoff()))
    rows = {"trials": [attempt("t", "a")], "metrics": [metric("t", "a", "rate", 1.0)]}
    for call in (
        lambda: store.commit(rows, {"t/w": np.ones(3)}),
        store.trials,
        lambda: store.save_checkpoint("p", {"w": np.ones(2)}, {}),
        lambda: store.delete_checkpoint("p"),
    ):
        clock.slept.clear()
        faulty_proxy.fail(how, 3)
        call()
        assert faulty_proxy.left == 0
        assert 2 <= len(clock.slept) <= 3  # after a reset curl itself asks once more for what may be asked twice
    assert store.trials(["trial"])["trial"].to_pylist() == ["t"]
    assert store.scan("metrics", ["value"])["value"].to_pylist() == [1.0]
    assert store.damaged == {}


@pytest.mark.slow
def test_storage_that_stays_broken_is_one_error_and_no_damage(
    faulty_proxy: Any, bucket: str, attempt: Row, clock: Any
) -> None:
    ResultStore.open(faulty_proxy.address(f"{bucket}/runs"), create=True).commit({"trials": [attempt("t", "a")]})
    store = ResultStore(ObjectFiles(faulty_proxy.address(f"{bucket}/runs"), clock.backoff(seconds=2.0)))
    faulty_proxy.fail("slow", 10_000)
    with pytest.raises(StoreError, match=r"cannot write .*SLOW_DOWN.*tried 3 times in 2 s; nothing was committed"):
        store.commit({"trials": [attempt("u", "b")]})
    # A reader whose storage fails between listing and reading tells so, and does not skip the file as damaged.
    faulty_proxy.fail("slow", 10_000, lambda request: "list-type" not in request)
    with pytest.raises(StoreError, match=r"cannot read .*tried 3 times"):
        store.trials()
    assert store.damaged == {}
    faulty_proxy.fail("slow", 0)
    assert store.trials(["trial"])["trial"].to_pylist() == ["t"]


@pytest.mark.slow
def test_refused_credentials_are_told_at_once(faulty_proxy: Any, bucket: str) -> None:
    faulty_proxy.fail("denied", 10_000)
    with pytest.raises(StoreError, match=r"cannot read s3://.*/runs/store.json: .*ACCESS_DENIED") as caught:
        ResultStore.open(faulty_proxy.address(f"{bucket}/runs"))
    assert "\n" not in str(caught.value)
    assert len(faulty_proxy.seen) == 1


@pytest.mark.slow
@pytest.mark.parametrize("lives", [1, 2, 3])
def test_a_writer_killed_between_its_puts_leaves_all_or_nothing(
    faulty_proxy: Any, bucket: str, attempt: Row, lives: int
) -> None:
    """A real process, killed as soon as its n-th object is stored: weights, metrics, trials."""
    address = faulty_proxy.address(f"{bucket}/runs")
    store = ResultStore.open(address, create=True)
    store.commit({"trials": [attempt("before", "a0")]})
    program = """
        import datetime, sys
        import numpy as np
        from results.store import ResultStore

        store = ResultStore.open(sys.argv[1])
        at = datetime.datetime.now(datetime.UTC)
        row = {"trial": "t", "attempt": "a", "status": "completed", "finished": at}
        rate = {"trial": "t", "attempt": "a", "quantity": "rate", "version": 1, "value": 1.0, "evaluated": at}
        print(flush=True)
        sys.stdin.readline()
        store.commit({"trials": [row], "metrics": [rate]}, {"t/w": np.ones(3)})
    """
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), address], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    with writer, writer.stdout, writer.stdin:
        writer.stdout.readline()
        puts: list[str] = []

        def kill(request: str) -> None:
            if request.startswith("PUT"):
                puts.append(request)
                if len(puts) == lives:
                    writer.send_signal(signal.SIGKILL)
                    writer.wait()

        faulty_proxy.after = kill
        writer.stdin.write(b"\n")
        writer.stdin.flush()
        assert writer.wait(30) == -signal.SIGKILL
    faulty_proxy.after = lambda request: None
    assert len(puts) == lives
    expected = ["before", "t"] if lives == 3 else ["before"]
    assert store.trials(["trial"])["trial"].to_pylist() == expected
    assert store.scan("metrics", ["trial"])["trial"].to_pylist() == expected[1:]
    assert store.damaged == {}
