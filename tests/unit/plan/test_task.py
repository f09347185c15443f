import json
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from loader.items.collected_attribute import CollectedAttribute
from loader.items.text_encoding import TextColumns
from loader.plan.partition_files import PartitionFiles
from loader.plan.partition_result import KEY_EXAMPLES, PartitionResult
from loader.plan.task import PlanTask, by_partition, enter_rows_read
from loader.storage.changeset import CHANGES, PUT, Extent, read_extent
from loader.storage.location import Location
from loader.storage.rejects import Rejects
from loader.storage.state_part import StatePart, read_state_part
from tests.support.encoded_rows import Row, batch_of, batches_of, key_of, text

COLLECTED = (CollectedAttribute("items", "L"),)
RUN = "2026-01-02T03-04-05Z"
NO_KEY = "key column user_id must not be NULL, got NULL"


def row(partition: int | None, name: str, *values: str, **fields: Any) -> list[Row]:
    return [Row(partition, key_of(name), (text(value),), **fields) for value in values]


def keyless(partition: int | None, reason: str = NO_KEY) -> Row:
    return Row(partition, None, (text("a"),), problem=reason)


def task_in(
    folder: Path,
    partitions: int = 4,
    collected_attributes: tuple[CollectedAttribute, ...] = COLLECTED,
) -> PlanTask:
    export = Location(str(folder))
    rejects = Rejects(export / "runs" / RUN, RUN, "user_items")
    return PlanTask(
        PartitionFiles(export, f"runs/{RUN}"),
        partitions,
        collected_attributes,
        rejects,
        TextColumns(),
    )


def planned(
    folder: Path,
    *batches: pa.RecordBatch,
    partitions: int = 4,
    collected_attributes: tuple[CollectedAttribute, ...] = COLLECTED,
) -> list[dict[str, Any]]:
    task = task_in(folder, partitions, collected_attributes)
    documents = [
        json.loads(outcome)
        for batch in task(batches)
        for outcome in batch.column("outcome").to_pylist()
    ]
    times = [[document.pop(n) for n in ("seconds", "wait_seconds")] for document in documents]
    assert all(time >= 0 for both in times for time in both)
    for document in documents:
        _require_state_of_puts(folder, document)
    return documents


def _require_state_of_puts(folder: Path, document: dict[str, Any]) -> None:
    """The state after a plan without a state before it has exactly the puts."""
    state, part = document.pop("state"), document["part"]
    counts = [document.pop(name) for name in ("new", "full_write_units", "new_keys")]
    if part is None:
        assert (state, *counts) == (None, 0, 0, [])
        return
    table = read_state_part(Location(str(folder)), StatePart(**state))
    columns = ("key", "digest", "size", "rows_hash")
    puts = [{name: change[name] for name in columns} for change in changes_of(folder, document)]
    assert (table.to_pylist(), state["partition"]) == (puts, part["partition"])
    new = document["items"] + document["split_items"] - document["rejected_items"]
    assert counts == [new, part["write_units"], [put["key"] for put in puts[:KEY_EXAMPLES]]]


def result(partition: int | None, **fields: Any) -> dict[str, Any]:
    nothing = {"rows": 0, "keyless_rows": 0, "items": 0, "rejected_items": 0, "rejects": []}
    largest = {
        "largest_size": 0,
        "largest_key": None,
        "part": None,
        "out_of_range": "",
        "reject_shard": None,
    }
    # Every row that is read is in a group or without a key.
    read = {"rows_read": fields.get("rows", 0)}
    oversize = {"split_items": 0, "truncated_items": 0, "dropped_elements": 0}
    return {"partition": partition, **nothing, **largest, **read, **oversize, **NO_STATE, **fields}


# A plan without a state changes and deletes nothing.
NO_STATE = {
    **dict.fromkeys(("changed", "rewritten", "unchanged", "deletes", "held_back"), 0),
    **dict.fromkeys(("kept", "state_keys", "same_rows"), 0),
    "changed_keys": [],
    "deleted_keys": [],
}


def part(partition: int, *sizes: int) -> dict[str, Any]:
    units = sum(-(-size // 1024) for size in sizes)
    return {
        "partition": partition,
        "file": f"{partition:05d}-0.arrow",
        "changes": len(sizes),
        "size": sum(sizes),
        "write_units": units,
        "batches": [[len(sizes), units]] if sizes else [],
        "delete_batches": 0,
    }


def changes_of(folder: Path, document: dict[str, Any]) -> list[dict[str, Any]]:
    part = document["part"]
    extent = Extent(part["partition"], part["file"], 0, len(part["batches"]))
    batches = read_extent(Location(str(folder)) / "runs" / RUN / CHANGES, extent)
    return [change for batch in batches for change in batch.to_pylist()]


def put(key: str, item: str, size: int) -> dict[str, Any]:
    return {
        "op": PUT,
        "key": key,
        "size": size,
        "digest": blake2b(item.encode(), digest_size=16).digest(),
        "prior": None,
        "in_state": False,
        "request": f'{{"PutRequest":{{"Item":{{{item}}}}}}}',
        "rows_hash": None,
    }


@pytest.mark.parametrize("cuts", [[], [1], [2], [1, 2, 3], [3, 3]])
def test_a_partition_becomes_one_file_of_puts_and_its_result(
    tmp_path: Path, cuts: Sequence[int]
) -> None:
    rows = [*row(2, "1", "a", "bc"), *row(2, 'é"', "d" * 1_020), *row(2, "3", "e")]

    (document,) = planned(tmp_path, *batches_of(rows, cuts, 1))

    sizes = (10 + 8 + 2 + 3, 10 + 8 + 1_021, 10 + 8 + 2)
    assert document == result(
        2,
        rows=4,
        items=3,
        largest_size=1_039,
        largest_key='"user_id":{"S":"é\\""}',
        part=part(2, *sizes) | {"batches": [[3, 4]]},
    )
    keys = [key_of(name) for name in ("1", 'é"', "3")]
    elements = ['{"S":"a"},{"S":"bc"}', f'{{"S":"{"d" * 1_020}"}}', '{"S":"e"}']
    assert changes_of(tmp_path, document) == [
        put(key, f'{key},"items":{{"L":[{inside}]}}', size)
        for key, inside, size in zip(keys, elements, sizes, strict=True)
    ]
    requests = [json.loads(change["request"]) for change in changes_of(tmp_path, document)]
    assert requests[0] == {
        "PutRequest": {"Item": {"user_id": {"S": "1"}, "items": {"L": [{"S": "a"}, {"S": "bc"}]}}}
    }


def test_equal_items_have_equal_digests_and_others_do_not(tmp_path: Path) -> None:
    def digest(folder: str, *values: str) -> bytes:
        (document,) = planned(tmp_path / folder, batch_of(row(0, "1", *values)))
        (change,) = changes_of(tmp_path / folder, document)
        return bytes(change["digest"])

    assert digest("a", "x", "y") == digest("b", "x", "y")
    assert digest("c", "x", "y") != digest("d", "y", "x")


@pytest.mark.parametrize("cuts", [[], [1], [2], [4], [1, 3]])
def test_each_partition_of_a_stream_has_its_own_file(tmp_path: Path, cuts: Sequence[int]) -> None:
    rows = [*row(0, "1", "a", "b"), *row(1, "2", "c"), *row(3, "1", "d"), *row(3, "5", "e")]

    documents = planned(tmp_path, *batches_of(rows, cuts, 1))

    first, other = key_of("1"), 20
    assert [{**document, "part": None} for document in documents] == [
        result(0, rows=2, items=1, largest_size=22, largest_key=first),
        result(1, rows=1, items=1, largest_size=other, largest_key=key_of("2")),
        result(3, rows=2, items=2, largest_size=other, largest_key=first),
    ]
    assert [document["part"]["file"] for document in documents] == [
        "00000-0.arrow",
        "00001-0.arrow",
        "00003-0.arrow",
    ]
    assert [[change["key"] for change in changes_of(tmp_path, d)] for d in documents] == [
        [key_of("1")],
        [key_of("2")],
        [key_of("1"), key_of("5")],
    ]


def test_rows_without_a_key_are_counted_by_partition_and_reason(tmp_path: Path) -> None:
    empty = "key column user_id must not be empty, got ''"
    batches = [
        batch_of([keyless(0), keyless(0), *row(0, "1", "a"), keyless(1)]),
        batch_of([keyless(1, empty), keyless(None)]),
        batch_of([keyless(1), *row(1, "2", "b")]),
    ]

    documents = planned(tmp_path, *batches)

    def reject(reason: str, rows: int) -> dict[str, Any]:
        return {"reason": reason, "rows": rows, "key": None}

    def items(partition: int, name: str, rows_read: int) -> dict[str, Any]:
        largest = {"largest_size": 20, "largest_key": key_of(name)}
        counts = {"rows": 1, "items": 1, "rows_read": rows_read, "part": part(partition, 20)}
        return result(partition, **counts, **largest)

    assert documents == [
        items(0, "1", rows_read=3),
        items(1, "2", rows_read=4),
        result(0, rows=2, keyless_rows=2, rows_read=0, rejects=[reject(NO_KEY, 2)]),
        result(
            1, rows=3, keyless_rows=3, rows_read=0, rejects=[reject(NO_KEY, 2), reject(empty, 1)]
        ),
        result(None, rows=1, keyless_rows=1, rejects=[reject(NO_KEY, 1)]),
    ]


def test_items_with_a_problem_are_counted_and_not_in_the_file(tmp_path: Path) -> None:
    rows = [
        *row(0, "1", "a", "b", problem="bad"),
        *row(0, "2", "c"),
        *row(0, "3", "d" * 409_600),
    ]
    bulky_attributes = 10 + 8 + 409_601

    (document,) = planned(tmp_path, batch_of(rows))

    assert document == result(
        0,
        rows=4,
        items=3,
        rejected_items=2,
        rejects=[
            {"reason": "bad", "rows": 2, "key": key_of("1")},
            {
                "reason": f"item must be at most 409600 bytes, got {bulky_attributes}",
                "rows": 1,
                "key": key_of("3"),
            },
        ],
        reject_shard="plan-00000-0.jsonl",
        largest_size=bulky_attributes,
        largest_key=key_of("3"),
        part=part(0, 20),
    )
    assert [change["key"] for change in changes_of(tmp_path, document)] == [key_of("2")]
    line = {
        "kind": "rejected",
        "run": RUN,
        "export": "user_items",
        "partition": 0,
    }
    listed = (tmp_path / "runs" / RUN / "rejects" / "plan-00000-0.jsonl").read_text().splitlines()
    assert [json.loads(text) for text in listed] == [
        {
            **line,
            "key": {"user_id": {"S": "1"}},
            "rows": 2,
            "reason": "bad",
            "item": {"user_id": {"S": "1"}, "items": {"L": [{"S": "a"}, {"S": "b"}]}},
        },
        {
            **line,
            "key": {"user_id": {"S": "3"}},
            "rows": 1,
            "reason": f"item must be at most 409600 bytes, got {bulky_attributes}",
            "item_digest": None,
        },
    ]


LARGE = [*row(0, "1", *["x" * 999] * 1_000), *row(0, "2", "a"), *row(0, "3", "b", problem="bad")]


def test_a_group_that_is_split_is_one_group_and_several_puts(tmp_path: Path) -> None:
    (document,) = planned(
        tmp_path,
        *batches_of(LARGE, [700], 1),
        collected_attributes=(
            CollectedAttribute("items", "L", split="part", split_count_attribute="of"),
        ),
    )

    sizes = [10 + 8 + 4 + 1 + 409_000 + 4, 10 + 8 + 4 + 2 + 409_000, 10 + 8 + 4 + 2 + 182_000, 25]
    puts = document["part"]["changes"]
    assert puts == document["items"] - document["rejected_items"] + document["split_items"] == 4
    assert {name: document[name] for name in ("rows", "items", "rejected_items")} == {
        "rows": 1_002,
        "items": 3,
        "rejected_items": 1,
    }
    assert (document["split_items"], document["largest_size"]) == (2, sizes[0])
    assert [c["size"] for c in changes_of(tmp_path, document)] == sizes
    assert [c["key"] for c in changes_of(tmp_path, document)] == [
        f'{key_of(name)},"part":{{"N":"{part_}"}}' for name, part_ in ("10", "11", "12", "20")
    ]


def test_truncated_items_and_their_dropped_elements_are_counted(tmp_path: Path) -> None:
    gather = CollectedAttribute("items", "L", truncate="last", dropped="lost")

    (document,) = planned(tmp_path, *batches_of(LARGE, [700], 1), collected_attributes=(gather,))

    assert document == result(
        0,
        rows=1_002,
        items=3,
        rejected_items=1,
        rejects=[{"reason": "bad", "rows": 1, "key": key_of("3")}],
        reject_shard="plan-00000-0.jsonl",
        truncated_items=1,
        dropped_elements=591,
        largest_size=10 + 8 + 409_000 + 4 + 3,
        largest_key=key_of("1"),
        part=part(0, 10 + 8 + 409_000 + 4 + 3, 20),
    )


def test_a_hundred_rejected_items_of_a_partition_are_shown_and_all_are_counted_and_listed(
    tmp_path: Path,
) -> None:
    rows = [row(0, str(n), "a", problem=f"bad {n}")[0] for n in range(260)]

    (document,) = planned(tmp_path, *batches_of(rows, [70, 130], 1))

    assert (document["items"], document["rejected_items"], document["rows"]) == (260, 260, 260)
    assert document["rejects"] == [
        {"reason": f"bad {n}", "rows": 1, "key": key_of(str(n))} for n in range(100)
    ]
    assert document["part"] == part(0)
    listed = (
        (tmp_path / "runs" / RUN / "rejects" / document["reject_shard"]).read_text().splitlines()
    )
    assert [json.loads(line)["reason"] for line in listed] == [f"bad {n}" for n in range(260)]


def out_of_range(name: str) -> str:
    return f"{{{key_of(name)}}}"


@pytest.mark.parametrize("partition", [4, -1, None])
def test_a_partition_that_is_out_of_range_is_reported_with_one_of_its_keys(
    tmp_path: Path, partition: int | None
) -> None:
    rows = [*row(partition, "1", "a", "b"), *row(partition, "2", "c")]

    documents = planned(tmp_path, *batches_of(rows, [1], 1))

    assert documents == [result(partition, rows_read=3, out_of_range=out_of_range("1"))]
    assert list(tmp_path.iterdir()) == []


def test_every_partition_that_is_out_of_range_is_reported_with_the_good_ones(
    tmp_path: Path,
) -> None:
    rows = [*row(-1, "0", "z"), *row(3, "1", "a"), *row(4, "2", "b"), *row(7, "3", "c", "d")]

    assert planned(tmp_path, batch_of(rows)) == [
        result(-1, rows_read=1, out_of_range=out_of_range("0")),
        result(3, rows=1, items=1, largest_size=20, largest_key=key_of("1"), part=part(3, 20)),
        result(4, rows_read=1, out_of_range=out_of_range("2")),
        result(7, rows_read=2, out_of_range=out_of_range("3")),
    ]


def test_a_broken_read_leaves_no_file(tmp_path: Path) -> None:
    def batches() -> Any:
        yield batch_of([*row(0, "1", "a"), *row(0, "2", "b")])
        raise OSError("the warehouse hung up")

    with pytest.raises(OSError, match="the warehouse hung up"):
        list(task_in(tmp_path)(batches()))

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_stream_without_rows_has_no_outcome(tmp_path: Path) -> None:
    assert planned(tmp_path) == []
    assert planned(tmp_path, batch_of([], 1)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_stream_is_cut_where_the_partition_changes() -> None:
    def batch(*partitions: int) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict({"partition": pa.array(partitions, pa.int32())})

    stream = [batch(0, 0, 1), batch(), batch(1), batch(1, 2, 5), batch(5)]

    assert [
        (partition, [b.column("partition").to_pylist() for b in batches])
        for partition, batches in by_partition(stream)
    ] == [(0, [[0, 0]]), (1, [[1], [1], [1]]), (2, [[2]]), (5, [[5], [5]])]


def test_the_rows_read_of_a_partition_are_in_its_result_even_without_items() -> None:
    plans = [PartitionResult(0, rows=5), PartitionResult(0, rows=1, keyless_rows=1)]

    enter_rows_read(Counter({0: 6, 3: 2}), plans)

    assert plans == [
        PartitionResult(0, rows=5, rows_read=6),
        PartitionResult(0, rows=1, keyless_rows=1),
        PartitionResult(3, rows_read=2),
    ]


def test_rows_without_a_partition_do_not_join_the_item_before_them(tmp_path: Path) -> None:
    """Neither those of the same key nor others: a NULL is unequal to every partition."""
    rows = [*row(3, "1", "a"), *row(None, "1", "b"), *row(None, "2", "c")]

    assert planned(tmp_path, batch_of(rows)) == [
        result(3, rows=1, items=1, largest_size=20, largest_key=key_of("1"), part=part(3, 20)),
        result(None, rows_read=2, out_of_range=out_of_range("1")),
    ]


def test_a_partition_that_is_out_of_range_is_reported_once_however_its_rows_lie(
    tmp_path: Path,
) -> None:
    """Rows of such partitions are sorted by a hash of their keys alone."""
    rows = [line for n in range(6) for line in row(4 + n % 2, str(n), "a")]

    assert planned(tmp_path, batch_of(rows)) == [
        result(4, rows_read=3, out_of_range=out_of_range("0")),
        result(5, rows_read=3, out_of_range=out_of_range("1")),
    ]
