"""Equal items have one digest, whatever notation and order the warehouse or DynamoDB has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loader.items.canonical import canonical_text
from loader.items.digest import digest
from loader.storage.location import Location
from loader.storage.state_file import read_state
from loader.storage.state_part import read_state_part
from tests.support.projects import project
from tests.support.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.integration

Run = Callable[..., Any]

# price, ratio, tag, word and line of each purchase, by user.
PURCHASES = {
    "a": [
        ("1.50", "0.1", "b", "x", 2),
        ("1.50", "0.1", 'a"', "x", 1),
        ("1.5", "0.1", "é", None, 3),
        ("1.50", "0.1", "b", "x", 2),
        ("2.05", "0.1", "\x1f", "y", 1),
    ],
    "b": [(p, "1e10", "t", "w", 1) for p in ("100.00", "0.00", "-0.05", "2.00", "10.00")],
    "c": [("3.10", "1.5e-7", tag, tag, 0) for tag in ("c", "a", "b")],
}
ATTRIBUTES = ("u", "tags", "prices", "lines", "words", "last", "ratio")


def test_another_scale_and_another_order_of_rows_change_no_item(
    loader: Run, execute: Run, dynamodb: DynamoDBClient, tmp_path: Path
) -> None:
    rows = [(user, ord(user) % 2, *row) for user, rows in PURCHASES.items() for row in rows]
    settings = {
        "table": "canonical",
        "key": "u",
        "partition_column": "part",
        "partitions": 2,
        "collect": {
            "tags": {"column": "tag", "as": "set"},
            "prices": {"column": "price", "as": "set"},
            "lines": {"column": "line"},
            "words": {"column": "word"},
            "last": {"column": "tag", "distinct": True, "limit": 2},
        },
        "attributes": ["ratio"],
    }
    chosen = project(tmp_path, {"canonical": settings}, "analytics.canonical")
    command = ("load", *chosen.arguments, *chosen.storage, "--skip-dbt-gate")

    build(execute, rows, "numeric(10, 2)", "float8")
    first = loader(*command, "--create-table")
    build(execute, rows[::-1], "numeric(12, 4)", "numeric(24, 10)")
    second = loader(*command, "--keep")

    assert (first.code, second.code) == (0, 0), first.err + second.err
    plans = [
        json.loads(plan.read_text()) for plan in tmp_path.glob("runs/canonical/runs/*/plan.json")
    ]
    results = [result for plan in plans for result in plan["partition_results"]]
    counts = [sum(r[name] for r in results) for name in ("new", "changed", "unchanged", "deletes")]
    assert counts == [3, 0, 3, 0]
    items = dynamodb.scan(TableName="canonical", ConsistentRead=True)["Items"]
    folder = Location(str(tmp_path / "runs" / "canonical"))
    state, _ = read_state(folder)
    assert state is not None
    assert tuple(state.attributes) == ATTRIBUTES
    parts = [read_state_part(folder, part).to_pylist() for part in state.parts]
    assert {row["key"]: row["digest"] for part in parts for row in part} == {
        canonical_text({"u": item["u"]}, ["u"]): digest(canonical_text(item, state.attributes))
        for item in items
    }
    by_key = {item["u"]["S"]: item for item in items}
    assert by_key["a"]["words"]["L"] == [
        {"S": "x"}, {"S": "y"}, {"S": "x"}, {"S": "x"}, {"NULL": True},
    ]  # fmt: skip
    assert by_key["a"]["lines"]["L"] == [{"N": n} for n in ("1", "1", "2", "2", "3")]


def build(execute: Run, rows: list[tuple[Any, ...]], price: str, ratio: str) -> None:
    columns = f"u text, part int, price {price}, ratio {ratio}"
    execute("create schema if not exists analytics; drop table if exists analytics.canonical")
    execute(f"create table analytics.canonical ({columns}, tag text, word text, line int)")
    for row in rows:
        execute("insert into analytics.canonical values (%s, %s, %s, %s, %s, %s, %s)", *row)


EVERY_TYPE: dict[str, Any] = {
    "id": {"S": 'q"\\\x00\x1f\u2028😀/'},
    "n": {"N": "-12.50"},
    "zero": {"N": "-0.0"},
    "large": {"N": "1.50E+20"},
    "small": {"N": "1E-130"},
    "digits": {"N": "12345678901234567890123456789012345678"},
    "b": {"B": b"\xff\xef\x00"},
    "flag": {"BOOL": False},
    "null": {"NULL": True},
    "texts": {"SS": ["b", 'a"', "a!", "a", "é", "\x1f"]},
    "numbers": {"NS": ["2", "1.50", "1E1", "-3"]},
    "binaries": {"BS": [b"b", b"\xff", b"a"]},
    "list": {"L": [{"N": "1.0"}, {"NULL": True}, {"L": []}, {"SS": ["y", "x"]}]},
    "map": {
        "M": {"é": {"N": "10"}, "b!": {"M": {}}, "b": {"M": {"z": {"S": ""}, "a": {"B": b""}}}}
    },
}


def test_an_item_of_every_type_has_the_text_that_was_written(dynamodb: DynamoDBClient) -> None:
    create_table(dynamodb, "every_type", {"id": "S"})
    dynamodb.put_item(TableName="every_type", Item=EVERY_TYPE)

    (item,) = dynamodb.scan(TableName="every_type", ConsistentRead=True)["Items"]

    assert canonical_text(item, EVERY_TYPE) == canonical_text(EVERY_TYPE, EVERY_TYPE)
