"""The races of two runs of an export; tests/integration/storages runs them on S3 too."""

import json
import os
import pickle
import socket
import threading
from dataclasses import replace

import pytest

from loader.errors import ApplyFailed, CommitUnknown, Refused, StorageFailed
from loader.storage.location import Location
from loader.storage.lock import LockWatch, RunLock
from loader.storage.lock_file import LOCK_FILE, Lock, read_lock, unlock
from tests.support.timed_folder import Clock, TimedFolder

Output = pytest.CaptureFixture[str]
OTHER = Lock(
    *("0a1b2c3d", "other", "far", 7, "ann", "loader load", "2026-01-01T00:00:00+00:00"),
    *("2026-01-01T00:00:00+00:00", 0, 60.0),
)
SHOWN = "a run of ann on far (process 7, run other, `loader load`, since 2026-01-01T00:00:00+00:00)"


def refusal(folder: Location) -> str:
    return (
        f"export users must have one run at a time, got {SHOWN}: wait for its end, or, if it is "
        f"dead, `loader state unlock users 0a1b2c3d --storage {folder.parent}`"
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(storage: Location, clock: Clock) -> TimedFolder:
    return TimedFolder(storage / "users", clock)


class Other:
    """Another run, which does what a test says."""

    def __init__(self, folder: Location) -> None:
        self.folder, self.lock = folder, OTHER
        self.version: str | None = None

    def take(self, version: str | None = None) -> None:
        self.version = self.folder.replace_version(LOCK_FILE, self.lock.encoded(), version)

    def renew(self) -> None:
        self.lock = replace(self.lock, renewals=self.lock.renewals + 1)
        self.take(self.version)


@pytest.fixture
def other(folder: TimedFolder) -> Other:
    return Other(folder)


@pytest.fixture
def lock(folder: TimedFolder, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> RunLock:
    # Tests renew it themselves.
    monkeypatch.setattr(RunLock, "_renew_always", lambda _: None)
    return RunLock(folder, "users", "ours", "loader load", 60.0, clock, clock.sleep)


def holder(folder: Location) -> str | None:
    lock = read_lock(folder)
    return lock.run if lock else None


# Taking it


def test_a_lock_is_there_for_the_time_of_the_run(folder: TimedFolder, lock: RunLock) -> None:
    with lock:
        during = json.loads(folder.read(LOCK_FILE))
        assert lock.lost is None
        lock.require("loader load")

    since = during.pop("since")
    assert during == {
        "id": lock.id,
        "run": "ours",
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "user": during["user"],
        "command": "loader load",
        "renewed": since,
        "renewals": 0,
        "seconds": 60.0,
    }
    assert folder.files() == []


def test_a_lock_that_is_renewed_while_a_run_looks_is_refused_with_its_run_and_the_way_out(
    folder: TimedFolder,
    lock: RunLock,
    other: Other,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other.take()
    clock.during = other.renew
    with pytest.raises(Refused) as refused, lock:
        pass

    assert (str(refused.value), clock.sleeps) == (refusal(folder), [1.0])
    assert (holder(folder), capsys.readouterr().err) == ("other", "")


def test_of_two_runs_that_take_the_lock_at_once_exactly_one_wins(
    folder: TimedFolder, lock: RunLock, other: Other, clock: Clock
) -> None:
    folder.state["before"] = other.take
    clock.during = other.renew
    with pytest.raises(Refused) as refused, lock:
        pass

    assert (str(refused.value), holder(folder)) == (refusal(folder), "other")


def test_of_two_runs_that_take_an_expired_lock_at_once_exactly_one_wins(
    folder: TimedFolder, lock: RunLock, other: Other, clock: Clock
) -> None:
    folder.write(LOCK_FILE, replace(OTHER, run="dead", id="dead").encoded())
    version = folder.read_version(LOCK_FILE)[1]
    clock.now += 61
    folder.state["before"] = lambda: other.take(version)
    clock.during = other.renew
    with pytest.raises(Refused) as refused, lock:
        pass

    assert (str(refused.value), holder(folder)) == (refusal(folder), "other")


def test_an_expired_lock_that_is_renewed_at_the_last_moment_is_not_taken(
    folder: TimedFolder, lock: RunLock, other: Other, clock: Clock
) -> None:
    other.take()
    clock.now += 61
    folder.state["before"] = other.renew
    clock.during = other.renew
    with pytest.raises(Refused) as refused, lock:
        pass

    assert (str(refused.value), holder(folder)) == (refusal(folder), "other")


def test_the_lock_of_a_dead_run_is_taken_when_it_has_expired(
    folder: TimedFolder,
    lock: RunLock,
    other: Other,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other.take()
    clock.now += 10
    with lock:
        assert (holder(folder), sum(clock.sleeps)) == ("ours", 51.0)

    assert capsys.readouterr().err == (
        f"lock   export users is locked by {SHOWN} that has not renewed the lock for 14 s: "
        "waiting up to 46 s\n"
    )


def test_the_lock_of_a_run_that_died_long_ago_is_taken_at_once(
    folder: TimedFolder,
    lock: RunLock,
    other: Other,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other.take()
    clock.now += 61
    with lock:
        assert (holder(folder), clock.sleeps) == ("ours", [])

    assert capsys.readouterr().err == ""


def test_a_lock_expires_after_the_time_that_its_own_run_set(
    folder: TimedFolder, lock: RunLock, other: Other, clock: Clock
) -> None:
    other.lock = replace(OTHER, seconds=300.0)
    other.take()
    clock.now += 299
    with lock:
        assert (holder(folder), clock.sleeps) == ("ours", [5.0])


def test_a_run_that_was_slow_to_renew_its_lock_keeps_it(
    folder: TimedFolder, lock: RunLock, other: Other, clock: Clock
) -> None:
    other.take()
    clock.during = lambda: other.renew() if len(clock.sleeps) == 50 else None
    with pytest.raises(Refused) as refused, lock:
        pass

    assert (str(refused.value), holder(folder)) == (refusal(folder), "other")


def test_a_lock_that_is_removed_while_a_run_waits_is_taken(
    folder: TimedFolder, lock: RunLock, other: Other, clock: Clock
) -> None:
    other.take()
    clock.during = lambda: folder.remove(LOCK_FILE)
    with lock:
        assert (holder(folder), clock.sleeps) == ("ours", [1.0])


@pytest.mark.parametrize("year", [2025, 2027])
def test_a_clock_of_another_machine_that_is_wrong_changes_nothing(
    folder: TimedFolder, lock: RunLock, other: Other, clock: Clock, year: int
) -> None:
    wrong = f"{year}-01-01T00:00:00+00:00"
    other.lock = replace(OTHER, since=wrong, renewed=wrong)
    other.take()
    with lock:
        assert (holder(folder), sum(clock.sleeps)) == ("ours", 61.0)


def test_a_damaged_lock_is_taken_when_it_has_expired(
    folder: TimedFolder, lock: RunLock, clock: Clock, capsys: Output
) -> None:
    folder.write(LOCK_FILE, OTHER.encoded()[:-10])
    with lock:
        assert (holder(folder), sum(clock.sleeps)) == ("ours", 61.0)

    assert capsys.readouterr().err == (
        "lock   export users is locked by a damaged file that has not renewed the lock for 4 s: "
        "waiting up to 56 s\n"
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b"\xff", OTHER.encoded().replace(b"60.0", b'"x"')],
)
def test_a_damaged_lock_is_reported_by_name(folder: TimedFolder, content: bytes) -> None:
    folder.write(LOCK_FILE, content)
    with pytest.raises(Refused) as refused:
        read_lock(folder)

    assert str(refused.value) == (
        f"{folder}/lock.json must be the lock of a run, got a damaged file: load again, which "
        "replaces it when it has expired, or delete it"
    )


def test_an_interruption_while_a_run_waits_leaves_the_lock_of_the_other(
    folder: TimedFolder, lock: RunLock, other: Other, clock: Clock
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    other.take()
    clock.during = interrupt
    with pytest.raises(KeyboardInterrupt), lock:
        pass

    assert holder(folder) == "other"


def test_an_interruption_after_the_lock_was_taken_removes_it(
    folder: TimedFolder, lock: RunLock
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    folder.state["after"] = interrupt
    with pytest.raises(KeyboardInterrupt), lock:
        pass

    assert folder.files() == []


def test_a_lock_that_was_taken_without_an_answer_is_removed_and_the_run_fails(
    folder: TimedFolder, lock: RunLock
) -> None:
    folder.lose_the_next_answer()
    with pytest.raises(CommitUnknown), lock:
        pass

    assert folder.files() == []


def test_a_storage_that_fails_while_a_run_waits_ends_the_run(
    folder: TimedFolder, lock: RunLock, other: Other, clock: Clock
) -> None:
    other.take()
    clock.during = folder.fail
    with pytest.raises(StorageFailed), lock:
        pass

    folder.fail(False)
    assert holder(folder) == "other"


# Keeping it


def test_a_run_keeps_a_lock_that_it_renews(
    folder: TimedFolder, lock: RunLock, clock: Clock
) -> None:
    with lock:
        for _ in range(5):
            clock.now += 50
            lock.renew()
        held = read_lock(folder)

        assert held
        assert (lock.lost, held.run, held.renewals) == (None, "ours", 5)
    assert folder.files() == []


def test_the_lock_is_renewed_in_the_background(storage: Location, clock: Clock) -> None:
    renewed = threading.Event()
    folder = TimedFolder(storage / "users", clock)
    with RunLock(folder, "users", "ours", "loader load", 0.3, clock, clock.sleep) as lock:
        folder.state["after"] = renewed.set
        assert renewed.wait(10)
        lost = lock.lost

    assert (lost, folder.files()) == (None, [])


def test_a_run_goes_on_while_the_storage_fails_for_less_than_the_time_of_its_lock(
    folder: TimedFolder, lock: RunLock, clock: Clock
) -> None:
    with lock:
        folder.fail()
        clock.now += 59
        lock.renew()
        during = lock.lost
        folder.fail(False)
        lock.renew()
        clock.now += 59

        assert (during, lock.lost, holder(folder)) == (None, None, "ours")


def test_a_lock_that_could_not_be_renewed_in_its_time_is_lost_for_good(
    folder: TimedFolder, lock: RunLock, clock: Clock
) -> None:
    with lock:
        folder.fail()
        clock.now += 60
        lock.renew()
        at_last, clock.now = lock.lost, clock.now + 1
        lost = lock.lost
        folder.fail(False)
        lock.renew()
        with pytest.raises(ApplyFailed) as failed:
            lock.require("loader load")

        assert (at_last, lock.lost) == (None, lost)
    assert str(failed.value) == (
        "cannot go on with export users, because run ours has lost its lock: it could not be "
        f"renewed for 60 s: cannot write to {folder}/lock.json: SlowDown: wait. Try again. "
        f"Run `loader load` when no other run writes"
    )
    assert folder.files() == []  # nobody had taken it


def test_a_run_whose_lock_another_run_took_has_lost_it_and_does_not_remove_it(
    folder: TimedFolder, lock: RunLock, other: Other
) -> None:
    with lock:
        other.take(folder.read_version(LOCK_FILE)[1])
        lock.renew()
        with pytest.raises(ApplyFailed) as failed:
            lock.require("loader load")

    assert lock.lost == f"another run took it: {SHOWN}"
    assert str(failed.value) == (
        f"cannot go on with export users, because run ours has lost its lock: {lock.lost}. "
        f"Run `loader load` when no other run writes"
    )
    assert holder(folder) == "other"


def test_a_run_whose_lock_was_removed_by_hand_has_lost_it(
    folder: TimedFolder, lock: RunLock
) -> None:
    with lock:
        assert unlock(folder, lock.id).run == "ours"
        lock.renew()

        assert (lock.lost, folder.files()) == ("lock.json was removed", [])


def test_a_run_whose_lock_was_damaged_has_lost_it(folder: TimedFolder, lock: RunLock) -> None:
    with lock:
        folder.write(LOCK_FILE, b"{")
        lock.renew()

    assert (lock.lost, folder.read(LOCK_FILE)) == ("lock.json is a damaged file", b"{")


def test_a_renewal_that_landed_without_an_answer_does_not_lose_the_lock(
    folder: TimedFolder, lock: RunLock, clock: Clock
) -> None:
    with lock:
        folder.lose_the_next_answer()
        for _ in range(3):
            clock.now += 2
            lock.renew()
        clock.now += 59

        assert (lock.lost, holder(folder)) == (None, "ours")
    assert folder.files() == []


def test_a_lock_is_held_from_the_moment_its_renewal_was_sent_not_answered(
    folder: TimedFolder, lock: RunLock, clock: Clock
) -> None:
    def answer_late() -> None:
        clock.now += 50

    with lock:
        folder.state["after"] = answer_late
        lock.renew()
        before, clock.now = lock.lost, clock.now + 11

        assert (before, lock.lost) == (None, "it could not be renewed for 60 s")


def test_a_lock_that_cannot_be_removed_at_the_end_is_a_warning(
    folder: TimedFolder, lock: RunLock, capsys: pytest.CaptureFixture[str]
) -> None:
    with lock:
        folder.fail()

    assert capsys.readouterr().err == (
        "warning: export users stays locked for 60 s: "
        f"cannot read {folder}/lock.json: SlowDown: wait. Try again\n"
    )


def test_a_lock_that_is_renewed_while_it_is_removed_is_removed(
    folder: TimedFolder, other: Other, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, renewals = Location.remove_version, iter(range(3))

    def renew_first(self: Location, name: str, version: str) -> None:
        if next(renewals, None) is not None:
            other.renew()
        remove(self, name, version)

    other.take()
    monkeypatch.setattr(Location, "remove_version", renew_first)

    assert (unlock(folder, OTHER.id).run, folder.files()) == ("other", [])


def test_a_lock_with_another_id_is_not_removed(folder: TimedFolder, other: Other) -> None:
    with pytest.raises(Refused) as missing:
        unlock(folder, "x")
    other.take()
    with pytest.raises(Refused) as wrong:
        unlock(folder, "x")

    begin = "lock of export users must have the id x to be removed, got"
    end = f": see `loader status users --storage {folder.parent}`"
    assert str(missing.value) == f"{begin} no lock{end}"
    assert str(wrong.value) == f"{begin} the lock 0a1b2c3d of {SHOWN}{end}"
    assert holder(folder) == "other"


# Watching it


@pytest.fixture
def watch(folder: TimedFolder, clock: Clock) -> LockWatch:
    return LockWatch(folder, OTHER.id, 60.0, clock, clock.sleep)


def test_a_task_sends_while_its_lock_is_renewed_and_reads_it_as_often_as_that(
    folder: TimedFolder, watch: LockWatch, other: Other, clock: Clock
) -> None:
    other.take()
    read, reads = folder.read_version, []

    def count(name: str) -> tuple[bytes, str]:
        reads.append(clock.now)
        return read(name)

    object.__setattr__(folder, "read_version", count)
    stopped = set()
    for tick in range(120):  # a minute
        if tick % 4 == 0:
            other.renew()
        stopped.add(watch.stopped())
        clock.now += 0.5

    assert (stopped, len(reads), clock.sleeps) == ({None}, 30, [])


def test_a_task_waits_after_ten_seconds_without_a_renewal_until_the_next(
    watch: LockWatch, other: Other, clock: Clock
) -> None:
    other.take()
    first, clock.now = watch.stopped(), clock.now + 9.9
    second, clock.now = watch.stopped(), clock.now + 0.1
    clock.during = lambda: other.renew() if len(clock.sleeps) == 7 else None

    assert (first, second, clock.sleeps) == (None, None, [])
    assert (watch.stopped(), clock.sleeps) == (None, [1.0] * 7)


def test_a_task_stops_for_good_when_its_lock_has_expired(
    watch: LockWatch, other: Other, clock: Clock
) -> None:
    other.take()
    assert watch.stopped() is None
    clock.now += 10
    stopped = watch.stopped()
    other.renew()

    assert stopped == "the driver has not renewed it for 60 s"
    assert (watch.stopped(), sum(clock.sleeps)) == (stopped, 51.0)


def test_a_task_that_starts_after_its_driver_died_does_not_send(
    watch: LockWatch, other: Other, clock: Clock
) -> None:
    other.take()
    clock.now += 30

    assert watch.stopped() == "the driver has not renewed it for 60 s"
    assert sum(clock.sleeps) == 31.0


def test_a_task_that_was_paused_looks_before_it_sends(
    folder: TimedFolder, watch: LockWatch, other: Other, clock: Clock
) -> None:
    other.take()
    before = watch.stopped()
    unlock(folder, OTHER.id)
    clock.now += 3_600

    assert (before, watch.stopped(), clock.sleeps) == (None, "lock.json was removed", [])


def test_a_task_stops_within_two_seconds_when_another_run_took_the_lock(
    folder: TimedFolder, watch: LockWatch, other: Other, clock: Clock
) -> None:
    other.take()
    before = watch.stopped()
    stolen = replace(OTHER, id="x", run="thief")
    folder.replace_version(LOCK_FILE, stolen.encoded(), other.version)
    clock.now += 2

    assert (before, watch.stopped()) == (None, f"another run took it: {stolen}")


def test_a_task_stops_when_its_lock_is_damaged(
    folder: TimedFolder, watch: LockWatch, other: Other
) -> None:
    folder.write(LOCK_FILE, b"{")

    assert watch.stopped() == "lock.json is a damaged file"


def test_a_task_that_cannot_read_its_lock_waits_and_goes_on_when_it_can(
    folder: TimedFolder, watch: LockWatch, other: Other, clock: Clock
) -> None:
    other.take()
    before = watch.stopped()
    folder.fail()
    clock.now += 10

    def recover() -> None:
        if len(clock.sleeps) == 20:
            folder.fail(False)
            other.renew()

    clock.during = recover

    assert (before, watch.stopped(), len(clock.sleeps)) == (None, None, 20)


def test_a_task_that_cannot_read_its_lock_until_it_expires_stops_with_the_cause(
    folder: TimedFolder, watch: LockWatch, other: Other, clock: Clock
) -> None:
    other.take()
    folder.fail()

    assert watch.stopped() == (
        f"the driver has not renewed it for 60 s: cannot read {folder}/lock.json: SlowDown: wait. "
        "Try again"
    )
    assert sum(clock.sleeps) == 51.0


def test_a_task_gets_the_lock_without_what_its_driver_saw(storage: Location) -> None:
    watch = LockWatch(storage / "users", "x", 60.0)
    received = pickle.loads(pickle.dumps(watch))  # noqa: S301

    assert (received, received._look.version) == (watch, None)
    assert received.stopped() == "lock.json was removed"
