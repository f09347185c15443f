"""The changes of one partition whose state is known, and its state after them."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from loader.items.assembly import ITEMS
from loader.items.delta import STATE, Comparison, Delta
from loader.items.digest import digest
from loader.plan import changes
from loader.plan.partition_files import PartitionFiles
from loader.plan.partition_result import PartitionResult
from loader.storage.changeset import CHANGES, DELETE, PUT, Extent, read_extent
from loader.storage.location import Location
from loader.storage.prior import PriorPart
from loader.storage.state_part import StatePart, read_state_part, write_state_part


def key(name: str, part: int | None = None) -> str:
    split = "" if part is None else f',"part":{{"N":"{part}"}}'
    return f'"k":{{"S":"{name}"}}{split}'


def text(name: str, value: str) -> str:
    return f'{key(name)},"v":{{"S":"{value}"}}'


class Partition:
    """One partition of an export, from run to run; the items are values by name."""

    def __init__(self, folder: Path, split: str | None = None) -> None:
        self.export, self.split = Location(str(folder)), split
        self.state: StatePart | None = None
        self.runs = 0

    def has(self, *rows: tuple[str, bytes | None, int | None]) -> None:
        """Give it a state: (key, digest, size)."""
        fields = [dict(zip(STATE.names, row, strict=False)) for row in rows]
        batch = pa.RecordBatch.from_pylist(fields, schema=STATE)
        count, checksum = write_state_part(self.export / "first", "7.arrow", [batch])
        self.state = StatePart(7, "first/7.arrow", count, checksum)

    def plan(
        self, values: dict[str, str], problems: Iterable[str] = (), everything: bool = False
    ) -> PartitionResult:
        """Plan the items; each has 2 rows and the size of its text. `problems` have names."""
        parts = (self.state,) if self.state else ()
        known = {7: PriorPart(self.export, parts)} if parts else {}
        self.runs += 1
        files = PartitionFiles(self.export, f"r{self.runs}", known, everything, self.split)
        result = PartitionResult(7)
        changes = files.changes_of(result, None)
        rows = [
            {
                "partition": 7,
                "key": key(name),
                "item": text(name, value),
                "size": len(text(name, value)),
                "rows": 2,
                "problem": "bad" if name in problems else None,
                "dropped": 0,
            }
            for name, value in values.items()
        ]
        # Batches of two items.
        batches = [
            pa.RecordBatch.from_pylist(rows[n : n + 2], ITEMS) for n in range(0, len(rows), 2)
        ]
        files.write(changes, changes.of_items(batches))
        self.state = result.state
        return result

    def changes(self, result: PartitionResult) -> list[tuple[Any, ...]]:
        """(op, key, size, prior, in_state, request) of the changeset."""
        part = result.part
        assert part
        extent = Extent(7, part.file, 0, len(part.batches))
        columns = ("op", "key", "size", "prior", "in_state", "request")
        batches = read_extent(self.export / f"r{self.runs}" / CHANGES, extent)
        rows = [row for batch in batches for row in batch.to_pylist()]
        return [tuple(row[column] for column in columns) for row in rows]

    def keys(self) -> dict[str, bytes | None]:
        """The digests of the state."""
        assert self.state
        rows = read_state_part(self.export, self.state).to_pylist()
        return {row["key"]: row["digest"] for row in rows}


def counts(result: PartitionResult) -> dict[str, int]:
    """The counts of keys that are not 0; they add up."""
    names = ("new", "changed", "rewritten", "unchanged", "rejected_items", "deletes")
    names += ("held_back", "kept", "state_keys")
    assert result.items == sum(getattr(result, name) for name in names[:5])
    return {name: getattr(result, name) for name in names if getattr(result, name)}


def put(name: str, value: str, size: int, prior: bytes | None, in_state: bool) -> tuple[Any, ...]:
    request = f'{{"PutRequest":{{"Item":{{{text(name, value)}}}}}}}'
    return PUT, key(name), size, prior, in_state, request


def delete(key: str, size: int, prior: bytes | None) -> tuple[Any, ...]:
    return DELETE, key, size, prior, True, f'{{"DeleteRequest":{{"Key":{{{key}}}}}}}'


def digests(**values: str) -> dict[str, bytes]:
    return {key(name): digest(text(name, value)) for name, value in values.items()}


def test_new_and_changed_items_are_put_and_keys_without_an_item_are_deleted(tmp_path: Path) -> None:
    partition = Partition(tmp_path)
    first = partition.plan({"a": "1", "b": "1", "c": "1" * 9, "d": "1"})
    before = partition.keys()
    second = partition.plan({"a": "1", "c": "2", "e": "1"})

    size = len(text("a", "1"))
    assert before == digests(a="1", b="1", c="1" * 9, d="1")
    assert counts(first) == {"new": 4}
    assert counts(second) == {
        **{"new": 1, "changed": 1, "unchanged": 1, "deletes": 2, "state_keys": 4}
    }
    # DynamoDB charges the larger of the old and the new item.
    assert partition.changes(second) == [
        put("c", "2", size + 8, before[key("c")], True),
        put("e", "1", size, None, False),
        delete(key("b"), size, before[key("b")]),
        delete(key("d"), size, before[key("d")]),
    ]
    assert partition.keys() == digests(a="1", c="2", e="1")
    samples = (second.new_keys, second.changed_keys, second.deleted_keys)
    assert samples == ([key("e")], [key("c")], [key("b"), key("d")])


def test_unchanged_items_are_no_changes(tmp_path: Path) -> None:
    partition = Partition(tmp_path)
    values = {"a": "1", "b": "2", "c": "3"}
    first = partition.plan(values)
    again = partition.plan(dict(reversed(values.items())))

    assert again.part
    assert (counts(again), again.part.changes) == ({"unchanged": 3, "state_keys": 3}, 0)
    assert again.full_write_units == first.full_write_units == 3
    assert partition.keys() == digests(a="1", b="2", c="3")


def test_a_large_state_is_compared_with_several_batches_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "MOST_COMPARISONS", 1)
    compared: list[int] = []
    take = Delta.take

    def counted(delta: Delta, keys: pa.StringArray) -> Comparison:
        compared.append(len(keys))
        return take(delta, keys)

    monkeypatch.setattr(Delta, "take", counted)
    partition = Partition(tmp_path)
    partition.plan({"a": "1", "b": "1", "c": "1"})
    result = partition.plan({"a": "1", "b": "2", "c": "1", "d": "1", "e": "1"}, problems=["c"])

    assert compared == [2, 1, 3, 1]
    assert counts(result) == {
        **{"new": 2, "changed": 1, "unchanged": 1, "rejected_items": 1, "kept": 1, "state_keys": 3}
    }
    assert partition.keys() == digests(a="1", b="2", c="1", d="1", e="1")


def test_a_key_in_doubt_is_put_or_deleted_whatever_it_has(tmp_path: Path) -> None:
    partition = Partition(tmp_path)
    partition.has((key("a"), None, None), (key("b"), None, None))
    result = partition.plan({"a": "1"})

    assert counts(result) == {"rewritten": 1, "deletes": 1, "state_keys": 2}
    assert partition.changes(result) == [
        put("a", "1", len(text("a", "1")), None, True),
        delete(key("b"), 1, None),
    ]
    assert partition.keys() == digests(a="1")


def test_a_full_load_puts_unchanged_items_too_and_still_deletes(tmp_path: Path) -> None:
    partition = Partition(tmp_path)
    partition.plan({"a": "1", "b": "1", "c": "1"})
    result = partition.plan({"a": "1", "b": "2"}, everything=True)

    assert counts(result) == {"changed": 1, "rewritten": 1, "deletes": 1, "state_keys": 3}
    assert [change[1] for change in partition.changes(result)] == [key("a"), key("b"), key("c")]


def test_a_rejected_item_keeps_the_old_one_and_its_state(tmp_path: Path) -> None:
    partition = Partition(tmp_path)
    partition.plan({"a": "1", "b": "1"})
    result = partition.plan({"a": "2", "b": "1", "new": "1"}, problems=("a", "new"))

    assert counts(result) == {
        **{"unchanged": 1, "rejected_items": 2, "kept": 1, "state_keys": 2},
    }
    assert partition.changes(result) == []
    assert partition.keys() == digests(a="1", b="1")


def test_a_rejected_group_keeps_all_of_its_split_items(tmp_path: Path) -> None:
    partition = Partition(tmp_path, split="part")
    old = digest("old")
    partition.has(*((key(name, part), old, 9) for name in "ab" for part in (0, 1)))
    result = partition.plan({"a": "1"}, problems=("a",))

    assert (result.kept, result.deletes) == (2, 2)
    assert [change[1] for change in partition.changes(result)] == [key("b", 0), key("b", 1)]
    assert partition.keys() == {key("a", 0): old, key("a", 1): old}


def test_deletes_that_are_held_back_leave_the_keys_in_the_state(tmp_path: Path) -> None:
    partition = Partition(tmp_path)
    partition.plan({"a": "1", "b": "1"})
    result = partition.plan({"a": "2"})
    written = replace(result)

    result.hold_back_deletes()
    partition.state = result.state

    assert (counts(written)["deletes"], written.part and written.part.changes) == (1, 2)
    assert counts(result) == {"changed": 1, "held_back": 1, "state_keys": 2}
    assert result.part
    assert result.part.changes == 1
    assert partition.keys() == digests(a="2", b="1")
    again = partition.plan({"a": "2"})
    assert counts(again) == {"unchanged": 1, "deletes": 1, "state_keys": 2}


def test_a_partition_without_items_deletes_all_of_its_keys(tmp_path: Path) -> None:
    partition = Partition(tmp_path)
    partition.plan({"a": "1", "b": "1"})
    result = partition.plan({})

    assert counts(result) == {"deletes": 2, "state_keys": 2}
    assert result.state
    assert result.state.keys == 0
