"""What is known of a table before a plan."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from loader.dynamodb.description import TableDescription
from loader.dynamodb.identity import TableIdentity
from loader.errors import PlanFailed, Refused
from loader.items.digest import ENCODING
from loader.plan.known_state import KnownState, known_state, shared_table_problems
from loader.storage.changeset import Slice
from loader.storage.location import Location
from loader.storage.slice_outcome import SliceOutcome, outcome_file
from loader.storage.state_file import State, commit, read_state
from loader.storage.state_part import StatePart
from loader.storage.unfinished import COMMITTED, SLICES, Begun

IDENTITY = TableIdentity("items", "eu-west-1", "http://x", "arn", "id-1")
TABLE = TableDescription("items", (("u", "S"),), "ACTIVE", True, items=1_234)
ATTRIBUTES = {"u": "S", "a": "N"}
PARTS = tuple(StatePart(n, f"runs/r1/state/{n}.arrow", 5, "c") for n in range(2))


def state(**fields: object) -> State:
    known = State(
        serial=3,
        run="r1",
        export="user_items",
        identity=asdict(IDENTITY),
        key=(("u", "S"),),
        partitions=2,
        encoding=ENCODING,
        attributes=ATTRIBUTES,
        committed="2026-01-02T03:04:05Z",
        parts=PARTS,
    )
    return replace(known, **fields)  # type: ignore[arg-type]


def read(folder: Path, saved: State | None, partitions: int = 2) -> KnownState:
    export = Location(str(folder / "user_items"))
    if saved:
        commit(export, saved, read_state(export)[1])
    return known_state(export, TABLE, IDENTITY, partitions, ATTRIBUTES)


def test_a_state_of_the_same_table_is_compared_partition_by_partition(tmp_path: Path) -> None:
    known = read(tmp_path, state())

    assert (known.serial, known.run, known.partitioned, known.notes) == (3, "r1", True, ())
    assert {n: prior.parts for n, prior in known.parts.items()} == {0: PARTS[:1], 1: PARTS[1:]}
    assert all(prior.comparable for prior in known.parts.values())


def test_a_first_run_says_how_many_items_the_table_has(tmp_path: Path) -> None:
    known = read(tmp_path, None)

    assert (known.serial, known.parts) == (0, {})
    assert known.notes == (
        "table items has about 1,234 items that this export did not write: they stay, unless the "
        f"export has their keys; `loader state adopt user_items --storage {tmp_path}` takes them "
        "over",
    )


def test_a_state_file_that_is_gone_is_reported(tmp_path: Path) -> None:
    Location(str(tmp_path / "user_items" / "runs" / "r1")).write(COMMITTED, b"{}")

    notes = read(tmp_path, None).notes

    assert notes[0] == (
        f"the state file of {tmp_path}/user_items is gone, though a run has committed one: "
        "everything is put, nothing is deleted"
    )


def test_the_state_of_another_table_is_not_used(tmp_path: Path) -> None:
    other = asdict(replace(IDENTITY, table_id="id-2"))

    known = read(tmp_path, state(identity=other))

    assert (known.serial, known.run, known.parts) == (3, "r1", {})
    assert known.notes[0] == (
        "the state of run r1 is that of another table, arn at http://x (created unknown, id id-2): "
        "everything is put, nothing is deleted"
    )


def test_digests_of_another_encoding_are_not_compared(tmp_path: Path) -> None:
    known = read(tmp_path, state(encoding=ENCODING + 1))

    assert not any(prior.comparable for prior in known.parts.values())
    assert known.notes == (
        "this version of the loader encodes items in another way: all items are put",
    )


@pytest.mark.parametrize(
    ("before", "what"),
    [
        ({"u": "S"}, "new: a"),
        ({**ATTRIBUTES, "b": "S"}, "gone: b"),
        ({"u": "S", "a": "S"}, "of another type: a"),
    ],
)
def test_a_change_of_the_attributes_is_reported(
    tmp_path: Path, before: dict[str, str], what: str
) -> None:
    known = read(tmp_path, state(attributes=before))

    assert known.notes == (f"the export's attributes have changed ({what}): items change",)
    assert all(prior.comparable for prior in known.parts.values())


def test_a_state_with_another_number_of_partitions_is_distributed_again(tmp_path: Path) -> None:
    known = read(tmp_path, state(), partitions=64)

    assert (known.partitioned, list(known.parts)) == (False, [None])
    assert known.parts[None].parts == PARTS
    assert known.notes == (
        "the state has 2 partitions, the export 64: the keys are distributed again",
    )


def test_an_adopted_state_is_distributed(tmp_path: Path) -> None:
    parts = tuple(replace(part, partition=None) for part in PARTS)

    known = read(tmp_path, state(parts=parts, adopted=True))

    assert (known.partitioned, known.parts[None].parts) == (False, parts)


def test_a_run_that_did_not_end_may_have_the_keys_in_other_partitions(tmp_path: Path) -> None:
    """A key in one partition of the state, and in another one of the run, would be deleted."""
    run = Location(str(tmp_path / "user_items" / "runs" / "r2"))
    for distributed in (False, True):
        begun = Begun("r2", asdict(IDENTITY), 2, 0.0, [], distributed)
        (run / "applied").write("slices.json", json.dumps(asdict(begun)).encode())
        known = read(tmp_path, state(unfinished=("r2",)))

        assert known.partitioned is not distributed
        assert list(known.parts) == ([None] if distributed else [0, 1])
    assert known.notes == (
        "run r2 did not end: its 0 changes are written",
        "a run that did not end has keys in other partitions: the keys are distributed again",
    )


def test_an_unfinished_run_whose_files_are_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"run r2 must have its file .*slices\.json"):
        read(tmp_path, state(unfinished=("r2",)))


def test_a_table_with_the_state_of_another_export_is_a_problem(tmp_path: Path) -> None:
    read(tmp_path, state())
    storage = Location(str(tmp_path))

    problems = shared_table_problems(storage, {"items_by_user": IDENTITY, "user_items": IDENTITY})

    assert problems == [
        f"table items must be written by one export, got the state of export user_items in "
        f"{tmp_path}/user_items: if items_by_user replaces user_items, move all files of that "
        f"folder to {tmp_path}/items_by_user; otherwise choose another table"
    ]
    other = replace(IDENTITY, table_id="id-2")
    assert shared_table_problems(storage, {"items_by_user": other}) == []
    assert shared_table_problems(storage, {"user_items": IDENTITY}) == []


def test_a_plan_that_failed_because_another_run_was_committed_says_so(tmp_path: Path) -> None:
    known = read(tmp_path, state())
    known.require_current()
    read(tmp_path, state(serial=4, run="r2"))

    with pytest.raises(PlanFailed, match=r"another run \(r2\) was committed during the plan"):
        known.require_current()


@pytest.mark.parametrize("file", [SLICES, outcome_file(0), outcome_file(1)])
def test_a_plan_during_which_an_unfinished_run_is_committed_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    home = Location(str(tmp_path / "user_items"))
    applied = home / "runs/r2/applied"
    begun = Begun("r2", asdict(IDENTITY), 2, 0.0, [Slice(n, (), 1, 1) for n in range(2)])
    applied.write(SLICES, json.dumps(asdict(begun)).encode())
    for number in range(2):
        outcome = json.dumps(asdict(SliceOutcome(number, acknowledged=1)))
        applied.write(outcome_file(number), outcome.encode())
    original = Location.read

    def racing(self: Location, name: str) -> bytes:
        content = original(self, name)
        if name == file:
            monkeypatch.undo()
            commit(home, state(serial=4, run="r2"), read_state(home)[1])
            applied.delete()
        return content

    monkeypatch.setattr(Location, "read", racing)

    with pytest.raises(PlanFailed) as failed:
        read(tmp_path, state(unfinished=("r2",)))

    assert str(failed.value) == (
        "cannot plan export user_items: another run (r2) was committed during the plan. Nothing "
        "was written: plan again"
    )
