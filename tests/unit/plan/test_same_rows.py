"""Which keys have the same rows as in the last run, by the sums of the hashes of their rows."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql.types import StructType

from loader import package_version
from loader.items.collected_attribute import ITEMS
from loader.items.delta import STATE
from loader.items.digest import digest
from loader.items.export import Export, Relation
from loader.items.index_key import IndexKey
from loader.items.text_encoding import TextKey
from loader.plan import same_rows
from loader.plan.known_state import KnownState
from loader.plan.partition_files import PartitionFiles
from loader.plan.partition_result import PartitionResult
from loader.plan.same_rows import (
    Compared,
    CompareTask,
    keys_to_read,
    new_key_is_known,
    rows_version,
)
from loader.plan.view_check import View
from loader.settings import Settings
from loader.storage.location import Location
from loader.storage.prior import PriorPart
from loader.storage.state_part import StatePart, read_state_part, write_state_part
from loader.warehouse.ranges import Ranges
from loader.warehouse.row_hash import RowHash
from tests.support.exports import KEYED

DIGEST = b"d" * 16
# user, rows, sum of the hashes, hash of the key
Key = tuple[str | None, int, int, int]


def key(name: str) -> str:
    return f'"k":{{"S":"{name}"}}'


def text(name: str, value: str) -> str:
    return f'{key(name)},"v":{{"S":"{value}"}}'


def state_of(export: Location, partition: int, *rows: tuple[str, bytes | None, int | None]) -> Any:
    """A part with the rows (name, digest, rows_hash)."""
    fields = [
        {"key": key(name), "digest": digest, "size": 1_500, "rows_hash": rows_hash}
        for name, digest, rows_hash in rows
    ]
    batch = pa.RecordBatch.from_pylist(fields, schema=STATE)
    count, checksum = write_state_part(export / "first", f"{partition}.arrow", [batch])
    part = StatePart(partition, f"first/{partition}.arrow", count, checksum)
    return PriorPart(export, (part,), rows_comparable=True)


def batch_of(partition: int | None, keys: Sequence[Key]) -> pa.RecordBatch:
    names, rows, sums, hashes = zip(*keys, strict=True) if keys else ((), (), (), ())
    return pa.RecordBatch.from_pydict(
        {
            "partition": pa.array([partition] * len(keys), pa.int32()),
            "key": pa.array(names, pa.string()),
            "row_count": pa.array(rows, pa.int64()),
            "rows_hash": pa.array(sums, pa.int64()),
            "key_hash": pa.array(hashes, pa.int64()),
        }
    )


def compared(files: PartitionFiles, *batches: pa.RecordBatch) -> list[Compared]:
    task = CompareTask(files, 4, TextKey("k"))
    (outcomes,) = task(iter(batches))
    return same_rows.compared(outcomes.column("outcome").to_pylist())


def view(**changes: Any) -> View:
    frame: Any = None
    row_hash = RowHash("row", "key", "1")
    read, types = Ranges(4, 1), {"user_id": "S"}
    facts = View(
        frame, StructType(), read, [("user_id", "S")], types, frozenset(), {}, (), row_hash
    )
    return replace(facts, **changes)


def test_another_export_view_or_loader_has_another_version_of_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    versions = [
        rows_version(export, checked)
        for export, checked in [
            (KEYED, view()),
            (replace(KEYED, nulls=(("country", "keep"),)), view()),
            (replace(KEYED, partitions=9), view()),
            (replace(KEYED, key=tuple(reversed(("sort", *KEYED.key)))), view()),
            (KEYED, view(row_hash=RowHash("row", "key", "2"))),
            (KEYED, view(attribute_types={"user_id": "N"})),
            (KEYED, view(index_keys=(IndexKey("country", "i", 2_048),))),
        ]
    ]
    named = replace(KEYED, name="other", table="other", min_rows=7)

    assert len({*versions, ""}) == len(versions) + 1
    assert rows_version(named, view()) == versions[0]
    assert rows_version(KEYED, view(row_hash=None)) == ""
    monkeypatch.setattr(package_version, "PACKAGE", "not-installed")
    assert rows_version(KEYED, view()) not in {*versions, ""}


def test_only_keys_with_another_sum_or_an_unknown_item_are_read(tmp_path: Path) -> None:
    export = Location(str(tmp_path))
    known = {
        1: state_of(
            export, 1, ("same", DIGEST, 7), ("other", DIGEST, 8), ("left", DIGEST, 9),
            ("doubt", None, 10), ("adopted", DIGEST, None), ("large", DIGEST, 5),
        )
    }  # fmt: skip
    files = PartitionFiles(export, "run", known)

    keys = [
        ("same", 3, 7, 11), ("other", 1, -8, 12), ("doubt", 1, 10, 13), ("adopted", 1, 0, 14),
        ("new", 1, 7, 15), (None, 2, 7, 16), ("large", 4, -(2**63) + 5, 17),
    ]  # fmt: skip
    result = compared(files, batch_of(1, keys[:2]), batch_of(1, keys[2:]))

    assert result == [Compared(1, 13, 6, "00001-0.arrow", 5, [12, 13, 14, 15, 16])]
    assert files.row_counts("00001-0.arrow").to_pylist() == [3, 0, 0, 0, 0, 4]


def test_a_key_that_is_there_twice_is_read(tmp_path: Path) -> None:
    export = Location(str(tmp_path))
    files = PartitionFiles(export, "run", {1: state_of(export, 1, ("a", DIGEST, 7))})

    (result,) = compared(files, batch_of(1, [("a", 1, 7, 11), ("a", 1, 8, 12)]))

    assert (result.read, files.row_counts(str(result.file)).to_pylist()) == ([11, 12], [0])


@pytest.mark.parametrize("partition", [2, None, -1, 4])
def test_a_partition_without_a_state_is_read_as_a_whole(
    tmp_path: Path, partition: int | None
) -> None:
    export = Location(str(tmp_path))
    files = PartitionFiles(export, "run", {1: state_of(export, 1, ("a", DIGEST, 7))})

    result = compared(files, batch_of(partition, [("a", 1, 7, 11), (None, 1, 7, 12)]))

    assert result == [Compared(partition, 2, 1, None, 2, [11, 12])]


def test_the_keys_to_read_go_to_the_query_of_their_partition() -> None:
    read = Ranges(partitions=5, stride=2)
    few = [Compared(n, 500, 100, None, 1, [n]) for n in (0, 1, 3, 4)]
    outside = [Compared(n, 500, 100, None, 1, [99]) for n in (None, -7, 5)]

    assert keys_to_read(few, read) == [[0, 1], [3], [4]]
    assert keys_to_read(outside, read) == [[99, 99], [], [99]]
    assert keys_to_read([], read) == [[], [], []]


@pytest.mark.parametrize(("changed", "all_rows"), [(30, False), (31, True)])
def test_all_rows_are_read_if_many_keys_have_changed(changed: int, all_rows: bool) -> None:
    partitions = [Compared(0, 500, 40, None, changed, [*range(changed)]), Compared(1, 500, 60, "x")]

    assert (keys_to_read(partitions, Ranges(2, 1)) is None) == all_rows


def test_all_rows_are_read_if_a_statement_would_be_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(same_rows, "MOST_KEYS_PER_QUERY", 3)
    partitions = [Compared(0, 500, 100, None, 3, [1, 2, 3]), Compared(1, 500, 100, None, 1, [4])]

    assert keys_to_read(partitions, Ranges(2, 1)) == [[1, 2, 3], [4]]
    assert keys_to_read(partitions, Ranges(2, 2)) is None


def test_a_task_returns_no_more_hashes_than_a_query_can_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver would hold those of all keys of a large model, only to count them."""
    monkeypatch.setattr(same_rows, "MOST_KEYS_PER_QUERY", 3)
    files = PartitionFiles(Location(str(tmp_path)), "run")

    def keys(*hashes: int) -> list[Key]:
        return [(f"u{number}", 1, 7, number) for number in hashes]

    result = compared(files, batch_of(0, keys(1, 2, 3)), batch_of(1, keys(4)), batch_of(2, []))
    many = compared(files, batch_of(3, keys(1, 2, 3, 4)))

    assert [(part.changed, part.read) for part in result] == [(3, [1, 2, 3]), (1, [])]
    assert [(part.changed, part.read) for part in many] == [(4, [])]


def test_a_new_key_is_known_if_a_partition_has_it_or_two_have_it_new(tmp_path: Path) -> None:
    export = Location(str(tmp_path))
    known = KnownState(export, parts={1: state_of(export, 1, ("a", DIGEST, 7))})

    def is_known(*names: str) -> bool:
        return new_key_is_known(known, [pa.array([key(name)]) for name in names])

    assert not is_known()
    assert not is_known("b", "c")
    assert is_known("b", "a")
    assert is_known("b", "b")


def test_a_rejected_key_is_known_if_another_partition_has_it(tmp_path: Path) -> None:
    export = Location(str(tmp_path))
    known = KnownState(export, parts={1: state_of(export, 1, ("a", DIGEST, 7), ("b", DIGEST, 7))})

    def is_known(**rejected: str) -> bool:
        keys = {int(name[1:]): [key(text) for text in texts] for name, texts in rejected.items()}
        return new_key_is_known(known, [pa.array([key("n")])], keys)

    assert not is_known(p1="ab", p2="c")
    assert is_known(p1="a", p2="b")
    assert is_known(p1="a", p2="a")
    assert is_known(p2="n")


def test_keys_with_the_same_rows_are_unchanged_and_keep_their_state(tmp_path: Path) -> None:
    export = Location(str(tmp_path))
    same = digest(text("a", "1"))
    known = {1: state_of(export, 1, ("a", same, 7), ("b", DIGEST, 8), ("c", DIGEST, 9))}
    files = PartitionFiles(export, "run", known)
    name = files.write_row_counts(1, pa.chunked_array([pa.array([5, 0, 0])]))
    files = PartitionFiles(export, "run", known, same={1: name})
    result = PartitionResult(1)

    changes = files.changes_of(result, None)
    files.write(changes, changes.of_items([_item("b", "2", rows=3, rows_hash=4)]))

    counts = ("rows", "same_rows", "items", "unchanged", "changed", "deletes", "state_keys")
    assert {name: getattr(result, name) for name in counts} == {
        **{"rows": 8, "same_rows": 5, "items": 2, "unchanged": 1, "changed": 1, "deletes": 1},
        "state_keys": 3,
    }
    assert (result.full_write_units, result.largest_size, result.largest_key) == (
        3, 1_500, key("a"),
    )  # fmt: skip
    assert result.state
    rows = read_state_part(export, result.state).to_pylist()
    assert [(row["key"], row["digest"], row["rows_hash"]) for row in rows] == [
        (key("a"), same, 7),
        (key("b"), digest(text("b", "2")), 4),
    ]
    assert result.part
    assert (result.part.changes, result.part.delete_batches) == (2, 1)


def _item(name: str, value: str, rows: int, rows_hash: int) -> pa.RecordBatch:
    item = {
        **{"partition": 1, "key": key(name), "item": text(name, value), "size": 20, "rows": rows},
        **{"dropped": 0, "problem": None, "rows_hash": rows_hash},
    }
    return pa.RecordBatch.from_pylist([item], ITEMS)


@pytest.mark.parametrize(
    ("rows", "keys", "columns", "pays"),
    [
        (1_000, 100, 3, True),
        (100, 100, 3, False),  # a key and two columns per row: all rows are fewer values
        (100, 100, 9, True),
        (100, 100, 8, False),
        (0, 100, 9, False),
    ],
)
def test_narrow_rows_of_few_per_key_are_read_without_a_comparison(
    tmp_path: Path, rows: int, keys: int, columns: int, pays: bool
) -> None:
    """A comparison reads the key, the partition and three numbers; it must save half."""
    names = tuple(f"c{number}" for number in range(columns - 2))
    export = Export("e", "m", Relation("d", "s", "i"), "t", ("k",), "p", 4, attributes=names)
    known = KnownState(Location(str(tmp_path)), rows_comparable=True, rows=rows, keys=keys)

    assert len(export.columns) == columns
    assert same_rows.can_compare(known, Settings(), export) is pays
    assert not same_rows.can_compare(known, Settings(full=True), export)
    assert not same_rows.can_compare(replace(known, partitioned=False), Settings(), export)
