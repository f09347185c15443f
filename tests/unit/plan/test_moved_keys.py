from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from loader.plan.moved_keys import keys_have_moved
from loader.plan.partition_result import PartitionResult
from loader.storage.changeset import CHANGES, DELETE, PUT, SCHEMA, write_part
from loader.storage.location import Location
from loader.storage.rejects import Rejects

KEY, OTHER = '"k":{"S":"\\u001Fö\\""}', '"k":{"S":"other"}'


def batch(op: int, names: Sequence[str], in_state: bool) -> pa.RecordBatch:
    fields = [
        {"op": op, "key": name, "size": 1, "digest": None, "prior": None, "in_state": in_state,
         "request": "{}"}
        for name in names
    ]  # fmt: skip
    return pa.RecordBatch.from_pylist(fields, schema=SCHEMA)


def result(
    folder: Path,
    partition: int,
    new: Sequence[str] = (),
    changed: Sequence[str] = (),
    deleted: Sequence[str] = (),
    rejected: Sequence[str] = (),
    kept: int = 0,
) -> PartitionResult:
    batches = [batch(PUT, new, False), batch(PUT, changed, True), batch(DELETE, deleted, True)]
    part = write_part(Location(str(folder)) / CHANGES, f"{partition}.arrow", partition, batches)
    with Rejects(Location(str(folder)), "r1", "users").shard(f"{partition}.jsonl") as shard:
        for key in rejected:
            shard.rejected(partition, key, 1, "bad", None)
    return PartitionResult(
        partition,
        new=len(new),
        changed=len(changed),
        deletes=len(deleted),
        part=part,
        rejected_items=len(rejected),
        reject_shard=shard.file,
        kept=kept,
    )


def moved(folder: Path, *results: PartitionResult, split: str | None = None) -> bool:
    return keys_have_moved(Location(str(folder)), results, split)


def test_a_key_that_one_partition_deletes_and_another_one_adds_has_moved(tmp_path: Path) -> None:
    first = result(tmp_path, 0, changed=["x"], deleted=["gone", "k"])

    assert moved(tmp_path, first, result(tmp_path, 1, new=["n", "k"], deleted=["z"]))
    assert not moved(tmp_path, first, result(tmp_path, 2, new=["n"], changed=["m"]))
    assert not moved(tmp_path, first)
    assert not moved(tmp_path, result(tmp_path, 3, new=["k"]))


@pytest.mark.parametrize(
    ("rejected", "kept", "expected"),
    [
        ([KEY], 0, True),
        ([OTHER], 0, False),
        ([OTHER] * 200 + [KEY], 0, True),
        ([OTHER, KEY], 2, False),  # their old items are in their own partition
    ],
)
def test_a_rejected_item_whose_old_item_another_partition_would_delete_has_moved(
    tmp_path: Path, rejected: list[str], kept: int, expected: bool
) -> None:
    deleting = result(tmp_path, 0, deleted=[KEY])

    rejecting = result(tmp_path, 1, rejected=rejected, kept=kept)

    assert moved(tmp_path, deleting, rejecting) == expected


def test_a_rejected_group_is_all_of_its_split_items(tmp_path: Path) -> None:
    deleting = result(tmp_path, 0, deleted=['"k":{"S":"a"},"part":{"N":"3"}'])

    rejecting = result(tmp_path, 1, rejected=['"k":{"S":"a"},"part":{"N":"0"}'])

    assert moved(tmp_path, deleting, rejecting, split="part")
    assert not moved(tmp_path, deleting, rejecting)
