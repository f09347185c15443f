import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loader import adoption
from loader.adoption import Adoption, adoption_lines
from loader.dynamodb.identity import TableIdentity
from loader.errors import ApplyFailed, CommitUnknown, StorageFailed
from loader.interruption import Interrupted, received
from loader.plan.discarded_plans import discarded_plans
from loader.settings import Settings
from loader.storage.location import Location
from loader.storage.lock import RunLock
from loader.storage.state_file import State, commit, read_state
from loader.storage.state_part import StatePart, read_state_part, write_state_part

FIRST = Adoption(
    export="user_items",
    table="user_items",
    run="2026-11-26T20-45-30-077Z-d402",
    serial=1,
    keys=4_320,
    bytes=5_614_592,
    seconds=3.42,
    read_units=2_742.0,
    read_limit=500.0,
    read_limit_source="as set: 500",
    throttled=0,
    replaced=None,
    unfinished=[],
    load_command="loader load --export user_items",
    plan_command="loader plan --export user_items",
)


def test_an_adoption_says_what_the_next_load_will_delete() -> None:
    assert adoption_lines(FIRST) == [
        "user_items   adopted 4,320 keys of table user_items   3.4 s   "
        "run 2026-11-26T20-45-30-077Z-d402",
        "  read       5,614,592 bytes, 2,742 read units, at most 500 per second (as set: 500)",
        "  state      serial 1, the first",
        "The next load deletes the keys that the model does not have, within its limits. "
        "See them first:",
        "  loader plan --export user_items",
    ]


def test_what_an_adoption_replaces_is_shown() -> None:
    lines = adoption_lines(replace(FIRST, serial=8, replaced=4_300, unfinished=["a", "b"]))

    assert lines[2:4] == [
        "  state      serial 8, replaces 4,300 keys",
        "  settled    what was in doubt of a, b",
    ]


def committed(home: Location, version: str | None = None) -> State:
    """A state of one file, committed as `adopt` does after its scan."""
    folder = home / "runs" / FIRST.run
    with discarded_plans() as folders:
        folders.append(folder)
        keys, checksum = write_state_part(folder / "state", "0.arrow", [])
        part = StatePart(None, f"runs/{FIRST.run}/state/0.arrow", keys, checksum)
        table = {"name": "user_items"}
        key = (("user_id", "S"),)
        state = State(1, FIRST.run, "user_items", table, key, 30, 1, {}, "", (part,), True)
        adoption._commit(home, folder, state, version, folders)
    return state


@pytest.fixture
def home(tmp_path: Path) -> Location:
    return Location(str(tmp_path / "user_items"))


@pytest.mark.parametrize(
    "end",
    [
        CommitUnknown("write to", "current.json", "no answer", "Check the storage"),
        KeyboardInterrupt(),
    ],
)
def test_an_adoption_that_may_be_committed_keeps_the_files_of_its_state(
    home: Location, monkeypatch: pytest.MonkeyPatch, end: BaseException
) -> None:
    def landed(folder: Location, state: State, version: str | None) -> None:
        commit(folder, state, version)
        raise end

    monkeypatch.setattr(adoption, "commit", landed)
    with pytest.raises(type(end)):
        committed(home)

    state, _ = read_state(home)
    assert state is not None
    assert [read_state_part(home, part).num_rows for part in state.parts] == [0]


def test_an_adoption_whose_mark_cannot_be_written_is_committed_and_says_so(
    home: Location, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise StorageFailed("write to", "committed.json", "No space left on device", "Check")

    monkeypatch.setattr(adoption, "mark_committed", full)

    state = committed(home)

    assert read_state(home)[0] == state
    assert [read_state_part(home, part).num_rows for part in state.parts] == [0]
    assert capsys.readouterr().err == (
        "warning: the adoption is committed, but cannot be marked so: cannot write to "
        "committed.json: No space left on device. Check\n"
    )


def test_an_adoption_after_the_commit_of_another_run_leaves_no_files(home: Location) -> None:
    other = State(4, "r4", "user_items", {}, (("user_id", "S"),), 30, 1, {}, "", ())
    commit(home, other, None)

    with pytest.raises(ApplyFailed) as failed:
        committed(home)

    assert str(failed.value) == (
        "cannot adopt table user_items for export user_items: another run was committed meanwhile "
        f"(another program replaced or removed {home}/current.json). Nothing was written: adopt "
        "it again"
    )
    assert read_state(home)[0] == other
    assert (home / "runs").folders() == []


@pytest.fixture
def scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table whose scan has ended without an item."""
    table: Any = SimpleNamespace(
        folder=Location(str(tmp_path / "users")),
        identity=TableIdentity("items", "eu-west-1", "http://127.0.0.1:1"),
        description=SimpleNamespace(key=()),
        export=SimpleNamespace(name="users", table="items", read_capacity=None, partitions=1),
        **dict.fromkeys(("dynamodb", "endpoint")),
    )
    scan = SimpleNamespace(parts=[])
    monkeypatch.setattr(adoption, "exported_table", lambda *_: table)
    monkeypatch.setattr(adoption, "scan_table", lambda *_: scan)
    for step in ("shared_table_problems", "start_spark", "attribute_names"):
        monkeypatch.setattr(adoption, step, lambda *_: None)


def test_an_adoption_that_lost_its_lock_names_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scanned: None
) -> None:
    """It has no run that `loader resume` could go on with."""
    monkeypatch.setattr(RunLock, "lost", "lock.json was removed")

    with pytest.raises(ApplyFailed) as failed:
        adoption.adopt(Settings(storage=str(tmp_path)), "users")

    assert str(failed.value).endswith(
        "has lost its lock: lock.json was removed. "
        f"Run `loader state adopt users --storage {tmp_path}` when no other run writes"
    )


def signalled(step: Callable[..., Any]) -> Callable[..., Any]:
    def then(*arguments: Any) -> Any:
        result = step(*arguments)
        signal.raise_signal(signal.SIGTERM)
        return result

    return then


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("exported_table", "interrupted: nothing was written"),
        ("commit", "interrupted: the state of export users is what table items had (serial 1)"),
        ("release", "interrupted: the state of export users is what table items had (serial 1)"),
    ],
)
def test_an_adoption_that_is_interrupted_says_whether_the_state_was_replaced(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scanned: None,
    handlers: None,
    step: str,
    message: str,
) -> None:
    if step == "release":
        monkeypatch.setattr(RunLock, "_release", signalled(RunLock._release))
    else:
        monkeypatch.setattr(adoption, step, signalled(getattr(adoption, step)))

    with pytest.raises(Interrupted) as interrupted, received():
        adoption.adopt(Settings(storage=str(tmp_path)), "users")

    assert (interrupted.value.message, interrupted.value.exit_code) == (message, 143)
    state, _ = read_state(Location(str(tmp_path / "users")))
    assert (state is not None) == ("serial 1" in message)
