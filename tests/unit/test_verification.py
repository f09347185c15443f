"""What a verification says if a load ends meanwhile, and its commands after differences."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loader import verification
from loader.dynamodb.description import TableDescription
from loader.dynamodb.identity import TableIdentity
from loader.errors import ReadFailed, StorageFailed
from loader.items.digest import ENCODING
from loader.report import files
from loader.report.totals import Report
from loader.settings import Settings
from loader.storage.location import Location
from loader.storage.prune import prune
from loader.storage.state_file import State, commit, read_state
from loader.storage.state_part import StatePart, read_state_part, write_state_part
from loader.storage.unfinished import SLICES, Begun
from loader.verification import next_commands, verify
from loader.verify.expected import Activity, Expected
from tests.support.example_report import COMPLETE

NOTE = "3 deletes are held back, because 1 rows have no key and may be theirs: fix the rows"


def loaded(folder: Path, report: Report) -> Settings:
    """The storage of a load of user_items with this report."""
    home = Location(str(folder / "user_items"))
    files.save(replace(report, run="r1"), home / "runs" / "r1")
    key = (("user_id", "S"),)
    commit(home, State(1, "r1", "user_items", {}, key, 1, 1, {}, "2026-01-09", ()), None)
    return Settings(storage=str(folder))


@pytest.mark.parametrize("report", [COMPLETE, replace(COMPLETE, notes=["a note"])])
def test_what_differs_is_adopted_and_then_written(tmp_path: Path, report: Report) -> None:
    commands = next_commands(loaded(tmp_path, report), "user_items")

    storage = f"--storage {tmp_path}"
    assert commands == (
        f"Take what the table has as its state:  loader state adopt user_items {storage}",
        f"Then write what differs:  loader load --export user_items {storage}",
    )


def test_after_deletes_that_were_held_back_the_note_of_their_load_is_first(tmp_path: Path) -> None:
    settings = loaded(tmp_path, replace(COMPLETE, held_back=3, notes=["another", NOTE]))

    assert next_commands(settings, "user_items") == (
        f"The last load left some out:  {NOTE}",
        f"Then write what differs:  loader load --export user_items --storage {tmp_path}",
    )


def test_a_state_that_cannot_be_read_is_adopted(tmp_path: Path) -> None:
    settings = loaded(tmp_path, replace(COMPLETE, held_back=3, notes=[NOTE]))
    (tmp_path / "user_items" / "current.json").write_text(json.dumps({}))

    adopt, _ = next_commands(settings, "user_items")

    assert adopt.startswith("Take what the table has as its state:  loader state adopt user_items")


FIRST, SECOND = "2026-01-07T05-00-00-000Z-7f3a", "2026-01-08T05-00-00-000Z-7f3a"
TABLE = TableDescription("user_items", (("u", "S"),), "ACTIVE", True)
IDENTITY = TableIdentity("user_items", "eu-west-1", "http://x", "arn", "id-1")
COMMITTED = (
    f"cannot verify table user_items: another run ({SECOND}) was committed during the "
    "verification. Nothing was written: verify again"
)


def committed(home: Location, run: str, serial: int, *unfinished: str) -> State:
    """The state of a load with one file; what it replaces is removed."""
    (home / f"runs/{run}").write("plan.json", b"{}")
    file = f"runs/{run}/state/0.arrow"
    part = StatePart(0, file, *write_state_part(home / f"runs/{run}/state", "0.arrow", []))
    key = (("u", "S"),)
    state = State(
        serial, run, "user_items", asdict(IDENTITY), key, 1, ENCODING, {}, "", (part,),
        unfinished=unfinished,
    )  # fmt: skip
    commit(home, state, read_state(home)[1])
    prune(home, state, keep_runs=10)
    return state


def verified(
    monkeypatch: pytest.MonkeyPatch,
    home: Location,
    state: State,
    read: Callable[[], Any],
    sample: float | None = None,
) -> None:
    """Verify a table against this state; `read` is what Spark does."""
    expected = Expected(
        "user_items", "v", home, home / "verify" / "v", SimpleNamespace(description=TABLE), "",
        Activity(state.serial, state.run, False), 0, None, state.parts,
    )  # type: ignore[arg-type]  # fmt: skip
    monkeypatch.setattr(verification, "_state", lambda *_: (None, expected))
    monkeypatch.setattr(verification, "verdict", lambda *_: read())
    verify(Settings(storage=str(home.parent)), "user_items", True, sample)


@pytest.mark.parametrize("sample", [None, 0.05])
def test_a_load_that_is_committed_during_a_verification_is_the_cause_of_its_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: float | None
) -> None:
    home = Location(str(tmp_path / "user_items"))
    state = committed(home, FIRST, 1)

    def read() -> None:
        committed(home, SECOND, 2)
        read_state_part(home, state.parts[0])

    with pytest.raises(ReadFailed) as failed:
        verified(monkeypatch, home, state, read, sample)

    assert str(failed.value) == COMMITTED


def test_a_state_that_is_damaged_without_a_load_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Location(str(tmp_path / "user_items"))
    state = committed(home, FIRST, 1)
    home.remove(state.parts[0].file)

    with pytest.raises(StorageFailed, match="the file is missing"):
        verified(monkeypatch, home, state, lambda: read_state_part(home, state.parts[0]))


def test_a_failure_that_a_load_has_not_caused_keeps_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Location(str(tmp_path / "user_items"))
    state = committed(home, FIRST, 1)

    def read() -> None:
        commit(home, replace(state, serial=2, run=SECOND), read_state(home)[1])
        raise ReadFailed("cannot read the items of table user_items: throttled")

    with pytest.raises(ReadFailed, match="throttled"):
        verified(monkeypatch, home, state, read)


def test_an_unfinished_run_that_is_committed_before_the_scan_is_the_cause_of_the_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Location(str(tmp_path / "user_items"))
    committed(home, FIRST, 1, SECOND)
    begun = Begun(SECOND, asdict(IDENTITY), 1, 0.0, [])
    (home / f"runs/{SECOND}/applied").write(SLICES, json.dumps(asdict(begun)).encode())
    table = SimpleNamespace(
        folder=home, description=TABLE, identity=IDENTITY, export=SimpleNamespace()
    )
    monkeypatch.setattr(verification, "exported_table", lambda *_: table)
    read = Location.read

    def racing(self: Location, name: str) -> bytes:
        content = read(self, name)
        if name == SLICES:
            committed(home, SECOND, 2)
        return content

    monkeypatch.setattr(Location, "read", racing)

    with pytest.raises(ReadFailed) as failed:
        verify(Settings(storage=str(tmp_path)), "user_items", against_state=True)

    assert str(failed.value) == COMMITTED
