"""Commits and locks on S3 whose requests or answers are lost, or which S3 refuses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import pytest

from loader.errors import CommitUnknown, StorageFailed, VersionConflict
from loader.storage.location import Location
from loader.storage.lock import RunLock
from loader.storage.lock_file import LOCK_FILE, read_lock
from loader.storage.state_file import CURRENT_FILE, State, commit, read_state
from sandbox import Sandbox
from tests.support.fault_proxies import Peer, Proxy
from tests.support.http_messages import read_message
from tests.support.tls_proxies import (
    LOST_ANSWER,
    LOST_REQUEST,
    Fault,
    HttpProxy,
    Request,
    http_proxy,
)

pytestmark = pytest.mark.integration

STATE = State(
    *(1, "first", "users", {"name": "users"}, (("user_id", "S"),), 30, 1, {}),
    *("2026-11-05T06:00:00+00:00", ()),
)
OURS, OTHER = replace(STATE, serial=2, run="ours"), replace(STATE, serial=2, run="other")
ROUTE = "Check the route to S3, HTTPS_PROXY, NO_PROXY and AWS_ENDPOINT_URL_S3"
Faulty = Callable[[Fault], AbstractContextManager[HttpProxy]]


class Breaking(Proxy):
    """Forward one request, drop its answer, and refuse connections from then on."""

    async def relay(self, client: Peer, upstream: Peer) -> None:
        request = await read_message(client.reader)
        assert request
        upstream.writer.write(request.encode())
        await read_message(upstream.reader)
        self.close()


class Faults:
    """What happens to the requests that go through the proxy."""

    def __init__(self) -> None:
        self.fault: Fault = lambda _: None
        self.proxy = HttpProxy()

    def __call__(self, request: Request) -> tuple[int, bytes | None] | None:
        return self.fault(request)

    @contextmanager
    def of(self, fault: Fault) -> Iterator[HttpProxy]:
        """The fault for the time of the block; the proxy has the requests of the block."""
        self.fault = fault
        self.proxy.requests.clear()
        try:
            yield self.proxy
        finally:
            self.fault = lambda _: None


@pytest.fixture(scope="module")
def faults(sandbox: Sandbox) -> Iterator[Faults]:
    """A proxy in front of S3."""
    faults = Faults()
    with http_proxy(sandbox.settings.dynamodb_port, fault=faults) as faults.proxy:
        yield faults


@pytest.fixture
def faulty(faults: Faults, monkeypatch: pytest.MonkeyPatch) -> Faulty:
    """Put a fault before S3 for the time of a block; nothing waits between two attempts."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    return faults.of


@pytest.fixture
def folder(storage: Location, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> Location:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{faults.proxy.port}")
    return storage / "users"


@pytest.fixture
def direct(folder: Location, sandbox: Sandbox) -> Location:
    """The same folder, whose requests do not go through the proxy."""
    url = sandbox.env()["AWS_ENDPOINT_URL_S3"]
    return Location(folder.uri, replace(folder._bucket(), endpoint=url))


def at(method: str, *numbers: int, then: tuple[int, bytes | None] = LOST_ANSWER) -> Fault:
    """The fault hits the requests of this method with these numbers, from 0; all without one."""
    count = -1

    def fault(request: Request) -> tuple[int, bytes | None] | None:
        nonlocal count
        if request.method != method:
            return None
        count += 1
        return then if not numbers or count in numbers else None

    return fault


def both(*faults: Fault) -> Fault:
    return lambda request: next((hit for fault in faults if (hit := fault(request))), None)


def answer(status: int, code: str) -> tuple[int, bytes]:
    return status, f"<Error><Code>{code}</Code><Message>{code}!</Message></Error>".encode()


def puts(proxy: HttpProxy) -> int:
    return sum(request.method == "PUT" for request in proxy.requests)


def test_a_commit_that_landed_but_was_reported_failed_is_not_committed_twice(
    folder: Location, faulty: Faulty
) -> None:
    base = commit(folder, STATE, None)
    with faulty(at("PUT", 0)) as proxy:
        version = commit(folder, OURS, base)
        sent = puts(proxy)

        # It was sent again with the condition that it had, which S3 refused.
        assert sent == 2
        assert read_state(folder) == (OURS, version)
        commit(folder, replace(OURS, serial=3), version)

    assert read_state(folder)[0] == replace(OURS, serial=3)


def test_a_first_commit_that_landed_but_was_reported_failed_is_not_committed_twice(
    folder: Location, faulty: Faulty
) -> None:
    with faulty(at("PUT", 0)):
        version = commit(folder, OURS, None)

        assert read_state(folder) == (OURS, version)


def test_a_commit_of_which_no_answer_ever_came_is_found_by_reading_the_state(
    folder: Location, faulty: Faulty
) -> None:
    base = commit(folder, STATE, None)
    with faulty(at("PUT")):
        version = commit(folder, OURS, base)

        assert read_state(folder) == (OURS, version)


def test_a_commit_that_did_not_arrive_is_sent_again(folder: Location, faulty: Faulty) -> None:
    base = commit(folder, STATE, None)
    # botocore gives up after three.
    with faulty(at("PUT", 0, 1, 2, 3, then=LOST_REQUEST)) as proxy:
        version = commit(folder, OURS, base)

        assert (read_state(folder), puts(proxy)) == ((OURS, version), 5)


def test_a_commit_that_met_another_write_of_the_file_is_sent_again(
    folder: Location, faulty: Faulty
) -> None:
    base = commit(folder, STATE, None)
    with faulty(at("PUT", 0, then=answer(409, "ConditionalRequestConflict"))):
        version = commit(folder, OURS, base)

        assert read_state(folder) == (OURS, version)


@pytest.mark.parametrize("lost", [LOST_REQUEST, answer(500, "InternalError")])
def test_a_commit_whose_answer_is_lost_while_another_run_commits_is_a_conflict(
    folder: Location, direct: Location, faulty: Faulty, lost: tuple[int, bytes | None]
) -> None:
    base = commit(folder, STATE, None)

    def fault(request: Request) -> tuple[int, bytes | None] | None:
        if request.method != "PUT" or read_state(direct)[0] == OTHER:
            return None
        commit(direct, OTHER, base)
        return lost

    with faulty(fault), pytest.raises(VersionConflict):
        commit(folder, OURS, base)

    assert read_state(direct)[0] == OTHER


def test_a_commit_without_any_answer_is_unknown_and_the_state_says_later_that_it_landed(
    folder: Location, direct: Location, faulty: Faulty
) -> None:
    base = commit(folder, STATE, None)
    with (
        faulty(both(at("PUT"), at("GET", then=answer(503, "SlowDown")))),
        pytest.raises(CommitUnknown) as unknown,
    ):
        commit(folder, OURS, base)

    assert str(unknown.value) == (
        f"cannot write to {folder}/current.json: SlowDown: SlowDown!, and it is unknown whether "
        "the file was replaced. Check --storage, the bucket's policy and AWS_ENDPOINT_URL_S3"
    )
    assert read_state(direct)[0] == OURS


def test_a_commit_that_never_arrives_is_unknown_after_a_bounded_number_of_requests(
    folder: Location, direct: Location, faulty: Faulty
) -> None:
    base = commit(folder, STATE, None)
    with (
        faulty(at("PUT", then=LOST_REQUEST)) as proxy,
        pytest.raises(CommitUnknown) as unknown,
    ):
        commit(folder, OURS, base)

    assert str(unknown.value).endswith(
        f", and it is unknown whether the file was replaced. {ROUTE}"
    )
    assert (puts(proxy), read_state(direct)[0]) == (4 * 3, STATE)


def test_a_commit_that_s3_refuses_has_not_landed(
    folder: Location, direct: Location, faulty: Faulty
) -> None:
    base = commit(folder, STATE, None)
    with (
        faulty(at("PUT", then=answer(403, "AccessDenied"))) as proxy,
        pytest.raises(StorageFailed) as failed,
    ):
        commit(folder, OURS, base)

    assert (type(failed.value), puts(proxy)) == (StorageFailed, 1)
    assert str(failed.value) == (
        f"cannot write to {folder}/current.json: AccessDenied: AccessDenied!. Grant "
        "docs/iam/storage-s3.json, and check the policies of the bucket and of its KMS key"
    )
    assert read_state(direct)[0] == STATE


def test_a_commit_whose_answer_is_lost_may_have_landed_though_s3_then_refuses_connections(
    folder: Location, direct: Location, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = commit(folder, STATE, None)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with Breaking(sandbox.settings.dynamodb_port) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(CommitUnknown) as unknown:
            commit(folder, OURS, base)

    assert "Could not connect to the endpoint URL" in str(unknown.value)
    assert str(unknown.value).endswith(f"unknown whether the file was replaced. {ROUTE}")
    assert read_state(direct)[0] == OURS


def test_a_commit_that_s3_refuses_after_one_without_an_answer_may_have_landed(
    folder: Location, direct: Location, faulty: Faulty
) -> None:
    base = commit(folder, STATE, None)
    denied = at("PUT", *range(1, 20), then=answer(403, "AccessDenied"))
    with faulty(both(at("PUT", 0), denied)):
        version = commit(folder, OURS, base)

    assert read_state(direct) == (OURS, version)


@pytest.mark.parametrize("removed", [True, False])
def test_a_zombie_does_not_commit_after_another_run(
    folder: Location, faulty: Faulty, removed: bool
) -> None:
    base = commit(folder, STATE, None)
    if removed:
        folder.remove(CURRENT_FILE)
    else:
        commit(folder, OTHER, base)
    with faulty(at("PUT", 0)), pytest.raises(VersionConflict):
        commit(folder, OURS, base)

    assert read_state(folder)[0] == (None if removed else OTHER)


def test_a_lock_that_was_taken_without_an_answer_is_held(folder: Location, faulty: Faulty) -> None:
    with faulty(at("PUT", 0)), RunLock(folder, "users", "ours", "loader load") as lock:
        held = read_lock(folder)

        assert (held and held.id, lock.lost) == (lock.id, None)
    assert not folder.exists(LOCK_FILE)


def test_a_lock_that_was_renewed_without_an_answer_is_held(
    folder: Location, faulty: Faulty
) -> None:
    # Its own thread renews it once in two minutes.
    lock = RunLock(folder, "users", "ours", "loader load", 3600)
    with faulty(at("PUT", 1, 2, 3, 4)), lock:
        for _ in range(3):
            lock.renew()
        held = read_lock(folder)

        assert (held and held.renewals, lock.lost) == (3, None)


def test_a_lock_that_was_removed_without_an_answer_is_removed(
    folder: Location, faulty: Faulty, capsys: pytest.CaptureFixture[str]
) -> None:
    with faulty(at("DELETE", 0)), RunLock(folder, "users", "ours", "loader load"):
        pass

    assert (folder.files(), capsys.readouterr().err) == ([], "")


def test_the_age_of_a_file_is_that_of_the_clock_of_s3(
    folder: Location, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = BaseHTTPRequestHandler.date_time_string

    def hour_later(self: BaseHTTPRequestHandler, timestamp: float | None = None) -> str:
        return shown(self, 3_600 + (timestamp or time.time()))

    monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", hour_later)
    folder.write("x", b"1")
    with faulty(lambda _: None):
        assert 3_590 < folder.age("x") < 3_660


def test_an_s3_that_ignores_conditions_is_a_problem(
    folder: Location, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_proxy(sandbox.settings.dynamodb_port, dropped={"if-match"}) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{proxy.port}")
        problem = folder.problem()

        assert (problem, folder.files()) == (
            f"--storage {folder} must be on an S3 that refuses a put whose If-Match is not the "
            "object's ETag, got one that ignores it: choose another --storage",
            [],
        )
