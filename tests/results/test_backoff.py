"""Faults that pass are waited for, for a bounded time; others are told at once."""

from __future__ import annotations

import errno
import os
import pickle
from typing import Any

import pytest

from results.backoff import Backoff
from results.faults import StorageFull, StoreError, Unsteady, fault, passes
from results.files import LocalFiles, Vanished


def system(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EAGAIN, errno.ETIMEDOUT, errno.ECONNRESET])
def test_the_systems_faults_that_pass(number: int) -> None:
    assert type(fault("cannot read x", system(number))) is Unsteady


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOENT, errno.EFBIG, errno.ENOTDIR])
def test_the_systems_faults_that_do_not(number: int) -> None:
    assert type(fault("cannot read x", system(number))) is StoreError


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_of_its_kind(number: int) -> None:
    told = fault("cannot write x", system(number))
    assert type(told) is StorageFull
    assert "the disk is full; free some space, then launch again to go on" in str(told)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("When uploading: AWS Error SLOW_DOWN during PutObject operation: Please reduce your request rate.", True),
        ("AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 7, Could not connect to server", True),
        ("AWS Error UNKNOWN (HTTP status 503) during HeadObject operation: No response body.", True),
        ("AWS Error INTERNAL_FAILURE during PutObject operation", True),
        ("google::cloud::Status(UNAVAILABLE: try again)", True),
        ("AWS Error ACCESS_DENIED during HeadObject operation: No response body.", False),
        ("AWS Error NO_SUCH_BUCKET during PutObject operation: The specified bucket does not exist", False),
        ("AWS Error UNKNOWN (HTTP status 400) during HeadObject operation: No response body.", False),
    ],
)
def test_what_object_storage_says_tells_whether_it_passes(said: str, expected: bool) -> None:
    assert passes(OSError(said)) is expected


def failing(times: int, error: Exception) -> Any:
    tries = iter(range(times))

    def call() -> str:
        if next(tries, None) is not None:
            raise error
        return "done"

    return call


def test_waits_double_up_to_the_longest_and_end(clock: Any) -> None:
    assert clock.backoff().again(failing(5, Unsteady("x"))) == "done"
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0]
    clock.slept.clear()
    with pytest.raises(StoreError, match=r"^no answer; tried 7 times in 26 s$") as caught:
        clock.backoff().again(failing(99, Unsteady("no answer")))
    assert not isinstance(caught.value, Unsteady)
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0]


@pytest.mark.parametrize("error", [StoreError("x"), Vanished("x"), StorageFull("x"), KeyError("x")])
def test_what_does_not_pass_is_not_waited_for(clock: Any, error: Exception) -> None:
    with pytest.raises(type(error)):
        clock.backoff().again(failing(1, error))
    assert clock.slept == []


def test_chance_takes_at_most_half_of_a_wait() -> None:
    waits = Backoff(chance=lambda: 1.0).waits()
    assert [next(waits) for _ in range(3)] == [0.25, 0.5, 1.0]


def test_nested_calls_wait_once(clock: Any) -> None:
    backoff = clock.backoff()
    with pytest.raises(StoreError):
        backoff.again(lambda: backoff.again(failing(99, Unsteady("x"))))
    assert sum(clock.slept) == 25.5


@pytest.mark.parametrize("call", ["fsync", "listdir", "unlink"])
def test_files_wait_for_a_disk_that_fails_twice(
    tmp_path: Any, clock: Any, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    files = LocalFiles(tmp_path, clock.backoff())
    files.write("trials/one", b"1")
    real = getattr(os, call)
    left = [2]

    def unsteady(*arguments: Any, **more: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise system(errno.EIO)
        return real(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, unsteady)
        files.write("trials/two", b"2")
        assert files.names("trials") == ["trials/one", "trials/two"]
        assert files.delete("trials/two")
    assert left == [0]
    assert clock.slept == [0.5, 1.0]
    assert files.read("trials/one") == b"1"


def test_files_are_pickled_with_their_patience(tmp_path: Any) -> None:
    assert pickle.loads(pickle.dumps(LocalFiles(tmp_path, Backoff(seconds=3.0)))).backoff.seconds == 3.0
