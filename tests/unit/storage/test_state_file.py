import json
from dataclasses import replace

import pytest

from loader.errors import Refused, VersionConflict
from loader.storage.location import Location
from loader.storage.state_file import CURRENT_FILE, State, commit, read_state
from loader.storage.state_part import StatePart

STATE = State(
    serial=12,
    run="2026-11-23T06-40-11-000Z-7f3a",
    export="users",
    identity={"name": "users", "region": "eu-west-1", "table_id": "a-b"},
    key=(("user_id", "S"),),
    partitions=2,
    encoding=1,
    attributes={"z": "N", "a": "S"},
    committed="2026-11-23T06:40:21+00:00",
    parts=(StatePart(0, "runs/x/state/0.arrow", 3, "ab"), StatePart(None, "y", 4, "cd")),
)


@pytest.fixture
def folder(storage: Location) -> Location:
    return storage / "users"


def refusal(folder: Location, value: str = "a damaged file") -> str:
    return (
        f"{folder}/current.json must be the state of an export as a load wrote it, got {value}: "
        f"rebuild the state from the table: `loader state adopt users --storage {folder.parent}`; "
        "or delete "
        f"{folder}/current.json: then the next load puts every item and deletes none"
    )


def problem(folder: Location, content: bytes) -> str:
    folder.write(CURRENT_FILE, content)
    with pytest.raises(Refused) as refused:
        read_state(folder)
    return str(refused.value)


def test_before_the_first_commit_there_is_no_state(folder: Location) -> None:
    assert read_state(folder) == (None, None)


def test_a_state_is_read_as_it_was_committed(folder: Location) -> None:
    first = commit(folder, STATE, None)
    second = commit(folder, replace(STATE, serial=13, adopted=True), first)

    state, version = read_state(folder)
    assert (state, version) == (replace(STATE, serial=13, adopted=True), second)
    assert state
    assert (list(state.attributes), state.keys) == (["z", "a"], 7)


def test_a_commit_after_that_of_another_run_is_a_conflict_and_changes_nothing(
    folder: Location,
) -> None:
    base = commit(folder, STATE, None)
    commit(folder, replace(STATE, serial=13, run="other"), base)
    for version in (base, None):
        with pytest.raises(VersionConflict):
            commit(folder, replace(STATE, serial=13, run="ours"), version)

    assert read_state(folder)[0] == replace(STATE, serial=13, run="other")


def test_a_commit_after_the_state_was_deleted_is_a_conflict(folder: Location) -> None:
    base = commit(folder, STATE, None)
    folder.remove(CURRENT_FILE)
    with pytest.raises(VersionConflict):
        commit(folder, replace(STATE, serial=13), base)

    assert folder.files() == []


def test_a_state_with_any_flipped_bit_is_refused_by_name_or_is_the_same_state(
    folder: Location,
) -> None:
    commit(folder, STATE, None)
    content = folder.read(CURRENT_FILE)
    accepted, refusals = set(), set()
    for place in range(0, len(content), 53 if folder.is_s3 else 1):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        folder.write(CURRENT_FILE, bytes(flipped))
        try:
            assert read_state(folder)[0] == STATE
            accepted.add(content[place : place + 1])
        except Refused as refused:
            refusals.add(str(refused))

    assert refusals == {refusal(folder)}
    assert accepted <= {b" ", b"\n"}  # white space between the values


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"{}", b"12", b'"x"', b"\xff", b"[" * 100_000, b'{"serial": 1}'],
)
def test_a_file_that_is_not_a_state_is_refused_by_name(folder: Location, content: bytes) -> None:
    assert problem(folder, content) == refusal(folder)


def test_a_truncated_state_is_refused_by_name(folder: Location) -> None:
    commit(folder, STATE, None)
    content = folder.read(CURRENT_FILE)

    assert {problem(folder, content[:size]) for size in range(0, len(content) - 2, 10)} == {
        refusal(folder)
    }


def test_an_edited_state_is_refused_by_name(folder: Location) -> None:
    commit(folder, STATE, None)
    document = json.loads(folder.read(CURRENT_FILE)) | {"serial": 11}

    assert problem(folder, json.dumps(document).encode()) == refusal(folder)


def test_a_state_of_another_schema_is_refused_by_its_number(folder: Location) -> None:
    commit(folder, replace(STATE, schema=2), None)

    assert problem(folder, folder.read(CURRENT_FILE)) == refusal(folder, "schema 2, not 1")
