"""`loader show DIR KEY`: a real changeset in a folder, with one change of each kind."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from loader.errors import Refused
from loader.plan.result import Plan
from loader.report.planned_change import planned_lines
from loader.storage.changeset import CHANGES, DELETE, PUT, SCHEMA, write_part
from loader.storage.location import Location
from tests.support.example_plan import partition, planned

OLD, NEW = b"\x01" * 16, b"\x02" * 16


def change(op: int, key: str, old: bytes | None, new: bytes | None, in_state: bool) -> list[Any]:
    request = f'{{"DeleteRequest":{{"Key":{{{key}}}}}}}'
    if op == PUT:
        rest = '"items":{"L":[{"S":"a"},{"S":"b"}]},"raw":{"B":"GwD/"}'
        request = f'{{"PutRequest":{{"Item":{{{key},{rest}}}}}}}'
    return [op, key, 100, new, old, in_state, request, None]


def batch(*changes: list[Any]) -> pa.RecordBatch:
    columns = zip(*changes, strict=True)
    arrays = [pa.array(list(c), f.type) for c, f in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Plan, Location]:
    folder = Location(str(tmp_path))
    parts = [
        [
            change(PUT, '"user_id":{"S":"new"}', None, NEW, False),
            change(PUT, '"user_id":{"S":"changed"}', OLD, NEW, True),
            change(PUT, '"user_id":{"S":"same"}', NEW, NEW, True),
        ],
        [
            change(PUT, '"user_id":{"S":"doubt"}', None, NEW, True),
            change(DELETE, '"user_id":{"S":"gone"}', OLD, None, True),
            change(DELETE, '"user_id":{"S":"gone?"}', None, None, True),
        ],
    ]
    plan = planned(*(partition(number, 1) for number in range(2)))
    for number, changes in enumerate(parts):
        # A record batch per change, so that the search goes on after the first.
        batches = [batch(one) for one in changes]
        plan.partition_results[number].part = write_part(
            folder / CHANGES, f"{number}.arrow", number, batches
        )
    return plan, folder


ITEM = ["items    2: a, b", "raw      GwD/"]
OLD_HEX, NEW_HEX = "01" * 16, "02" * 16


@pytest.mark.parametrize(
    ("key", "title", "item"),
    [
        (
            "new",
            f"new: the table has no item of the key that a run wrote; digest {NEW_HEX}",
            ITEM,
        ),
        ("changed", f"changed: digest {OLD_HEX} → {NEW_HEX}", ITEM),
        ("same", f"unchanged, put again: digest {NEW_HEX}", ITEM),
        (
            "doubt",
            f"in doubt: the table may have another item; digest unknown → {NEW_HEX}",
            ITEM,
        ),
        ("gone", f"deleted: the model no longer has the key; digest {OLD_HEX}", []),
        ("gone?", "deleted, in doubt: the table may have an item of the key", []),
    ],
)
def test_a_planned_change_is_shown_with_its_kind_and_its_new_item(
    key: str, title: str, item: list[str], kept: tuple[Plan, Location]
) -> None:
    lines, missing = planned_lines(*kept, [key])

    new_item = [f"user_id  {key}", *item] if item else []
    assert (lines, missing) == ([f"user_id {key}   {title}", *new_item], 0)


def test_several_keys_are_found_in_all_parts_and_a_key_without_a_change_is_counted(
    kept: tuple[Plan, Location],
) -> None:
    lines, missing = planned_lines(*kept, ["gone", "\x1b[2J", "new"])

    assert missing == 1
    assert lines[:4] == [
        f"user_id gone   deleted: the model no longer has the key; digest {OLD_HEX}",
        "",
        "\\x1b[2J: no change is planned",
        "",
    ]
    assert lines[5:] == ["user_id  new", *ITEM]


@pytest.mark.parametrize(
    ("type_", "stored", "text"), [("N", "1.5", "1.50"), ("B", "GwD/", "GwD/"), ("N", "10", "1e1")]
)
def test_a_key_is_found_in_another_spelling(
    type_: str, stored: str, text: str, tmp_path: Path
) -> None:
    folder = Location(str(tmp_path))
    plan = planned(partition(0, 1))
    plan.key = [("k", type_)]
    deleted = change(DELETE, f'"k":{{"{type_}":"{stored}"}}', OLD, None, True)
    plan.partition_results[0].part = write_part(folder / CHANGES, "0.arrow", 0, [batch(deleted)])

    lines, missing = planned_lines(plan, folder, [text])

    assert (len(lines), missing) == (1, 0)


def test_a_plan_without_its_changeset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        planned_lines(planned(partition(0, 1)), Location(str(tmp_path)), ["a"])

    assert refused.value.problems == [
        f"a plan must have its folder changes to show a change, got {tmp_path} without it: "
        "a complete run removes it; read its report.json, or plan again"
    ]
