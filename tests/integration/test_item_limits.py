"""Limits and policies against a real table: it counts and accepts what we count and write."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from loader.items.attribute_types import levels
from loader.items.encoding import fragment, scalar
from loader.items.export import Collect
from loader.items.limits import ITEM_BYTES, LEVELS
from loader.items.schema_problems import schema_problems
from loader.items.value_sizes import size
from sandbox import Sandbox
from tests.support.dynamodb_json import boto3_form
from tests.support.exports import SHORT
from tests.support.projects import export, project
from tests.support.sandboxes import execute
from tests.support.spark_schemas import struct_of
from tests.support.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
Items = Callable[[str], list[dict[str, Any]]]
VIEW = "analytics.large_items"
STRING, DOUBLE = T.StringType(), T.DoubleType()
MAP = T.MapType(STRING, T.ArrayType(DOUBLE))
PAIR = T.StructType([T.StructField("a", T.LongType()), T.StructField("é", T.BooleanType())])

VALUES: dict[str, tuple[T.DataType, list[Any]]] = {
    "text": (STRING, ["", "a", "é😀", '\x00"\\']),
    "tiny": (T.ByteType(), [0, -100, 127]),
    "small": (T.ShortType(), [0, 1010, -(2**15)]),
    "whole": (T.IntegerType(), [0, 12340, -(2**31)]),
    "long": (T.LongType(), [0, 10**18, -(2**63), 2**63 - 1, 123]),
    "cents": (T.DecimalType(10, 2), [Decimal(v) for v in ("0", "1.50", "-0.05", "100", "1.2")]),
    "wide": (T.DecimalType(38, 0), [Decimal(10**38 - 1), Decimal(1 - 10**38), Decimal(10**37)]),
    "fine": (
        T.DecimalType(38, 38),
        [Decimal(v) for v in ("1E-38", "-1E-37", "0", "0.5", "0.12E-9", "0.999E-6")],
    ),
    "half": (T.DecimalType(38, 18), [Decimal("1E-18"), Decimal("-12.3E-9"), Decimal("12345.6")]),
    "single": (T.FloatType(), [0.0, -0.5, 100.0, 2.0**-149, 2.0**127, 16777216.0]),
    "double": (
        DOUBLE,
        [
            0.0,
            -0.0,
            0.1,
            1e-3,
            1e7,
            1e-130,
            -1e-129,
            math.nextafter(1e126, 0),
            1.5,
            123.0,
            12.0,
            0.00123,
            1234567.891,
            -1.205e-30,
            1.2e10,
            1e8,
            1.25e-9,
            5e-10,
        ],
    ),
    "flag": (T.BooleanType(), [True, False]),
    "raw": (T.BinaryType(), [b"", bytes(range(256))]),
    "day": (T.DateType(), [date(2024, 2, 29)]),
    "moment": (T.TimestampNTZType(), [datetime(2024, 2, 29, 1, 2, 3, 500_000)]),
    "list": (T.ArrayType(STRING), [[], [None], ["a", None, ""]]),
    "map": (MAP, [{}, {"k": None}, {"é": [1.5, None], "": []}]),
    "pair": (PAIR, [(None, None), (7, True)]),
}
CASES = [(name, dtype, value) for name, (dtype, values) in VALUES.items() for value in values]


@pytest.fixture(scope="module")
def measured(spark: SparkSession) -> list[tuple[str, int]]:
    """JSON and bytes of the value of every case, by one Spark job."""
    fields = [T.StructField(name, dtype) for name, (dtype, _) in VALUES.items()]
    frame = spark.createDataFrame(
        [
            (n, *(value if name == field.name else None for field in fields))
            for n, (name, _, value) in enumerate(CASES)
        ],
        T.StructType([T.StructField("n", T.IntegerType()), *fields]),
    )
    wires = F.coalesce(*(fragment(F.col(f.name), f.dataType) for f in fields))
    sizes = [F.when(F.col(f.name).isNotNull(), size(F.col(f.name), f.dataType)) for f in fields]
    results = frame.select("n", wires.alias("wire"), F.coalesce(*sizes).alias("size")).collect()
    return [(row.wire, row.size) for row in sorted(results, key=lambda row: row.n)]


@pytest.fixture(scope="module")
def table(dynamodb: DynamoDBClient) -> str:
    create_table(dynamodb, "sized", {"id": "S"})
    return "sized"


def units(dynamodb: DynamoDBClient, table: str, item: dict[str, Any]) -> float:
    answer = dynamodb.put_item(TableName=table, Item=item, ReturnConsumedCapacity="TOTAL")
    return answer["ConsumedCapacity"]["CapacityUnits"]


@pytest.mark.parametrize("case", range(len(CASES)), ids=[f"{n} {v!r}"[:40] for n, _, v in CASES])
def test_an_item_costs_one_more_unit_from_one_byte_over_a_kilobyte(
    dynamodb: DynamoDBClient, table: str, measured: list[tuple[str, int]], case: int
) -> None:
    """So the table counts the same bytes as we do."""
    wire, bytes_ = measured[case]
    kilobytes = 1 + case % 7
    item = {"id": {"S": f"{case:04d}"}, "v": boto3_form(json.loads(wire))}
    room = kilobytes * 1024 - (2 + 4 + 1 + bytes_ + 1)

    at, over = (
        units(
            dynamodb, table, {**item, "id": {"S": f"{n}{case:03d}"}, "p": {"S": "x" * (room + n)}}
        )
        for n in (0, 1)
    )

    assert (at, over) == (kilobytes, kilobytes + 1)


@pytest.mark.parametrize("kilobytes", [1, 2, 3, 10, 100, 399, 400])
def test_an_item_of_all_types_costs_its_bytes_at_every_kilobyte(
    dynamodb: DynamoDBClient, table: str, measured: list[tuple[str, int]], kilobytes: int
) -> None:
    names = [f"{n:02d}" for n in range(len(CASES))]
    item: Any = {
        name: boto3_form(json.loads(wire))
        for name, (wire, _) in zip(names, measured, strict=True)
        if kilobytes > 1 or name < "05"
    }
    bytes_ = sum(measured[int(name)][1] + len(name) for name in item)
    room = kilobytes * 1024 - (2 + 4 + bytes_ + 1)

    costs = []
    for excess in (-1, 0, 1):
        key = {"id": {"S": f"b{excess + 1}{kilobytes:03d}"[:4]}}
        try:
            costs.append(units(dynamodb, table, {**item, **key, "p": {"S": "x" * (room + excess)}}))
        except ClientError as error:
            costs.append(error.response["Error"]["Message"])

    over = "Item size has exceeded the maximum allowed size" if kilobytes == 400 else kilobytes + 1
    assert costs == [kilobytes, kilobytes, over]


def refused(dynamodb: DynamoDBClient, table: str, value: Any) -> str | None:
    try:
        dynamodb.put_item(TableName=table, Item={"id": {"S": "limit"}, "v": value})
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def test_the_table_accepts_exactly_the_numbers_that_we_accept(
    dynamodb: DynamoDBClient, table: str
) -> None:
    good = ["1E-130", "-1E-130", "9.9999999999999999999999999999999999999E125", "9" * 38, "0E-38"]
    bad = ["9.9E-131", "1E126", "-1E126", "9" * 39, "NaN", "Infinity"]

    assert [refused(dynamodb, table, {"N": text}) for text in good] == [None] * len(good)
    assert [refused(dynamodb, table, {"N": text}) for text in bad] == ["ValidationException"] * 6


def deep(depth: int) -> T.DataType:
    return STRING if depth == 1 else T.ArrayType(deep(depth - 1))


def test_the_table_accepts_exactly_the_levels_that_we_accept(
    dynamodb: DynamoDBClient, table: str
) -> None:
    def value(depth: int) -> Any:
        return "x" if depth == 1 else [value(depth - 1)]

    write = TypeSerializer().serialize
    assert (levels(deep(LEVELS)), levels(PAIR), levels(MAP)) == (32, 2, 3)
    assert [refused(dynamodb, table, write(value(n))) for n in (LEVELS, LEVELS + 1)] == [
        None,
        "ValidationException",
    ]


LIST_OF = replace(SHORT, collect=(Collect("items", "item"),))


def test_a_column_nested_too_deeply_is_refused_where_a_list_is_one_more_level(
    spark: SparkSession,
) -> None:
    def schema(depth: int) -> T.StructType:
        return T.StructType(
            [*struct_of(user="string", p="int").fields, T.StructField("item", deep(depth))]
        )

    assert schema_problems(LIST_OF, schema(LEVELS - 1)) == []
    assert schema_problems(LIST_OF, schema(LEVELS)) == [
        "column item of analytics.m must be nested at most 32 levels deep, got 33: "
        "flatten it in the model"
    ]


def test_equal_values_of_a_set_have_equal_texts_so_that_a_set_has_no_duplicates(
    spark: SparkSession, dynamodb: DynamoDBClient, table: str
) -> None:
    """DynamoDB compares numbers by value; within a type each value has one text."""
    assert refused(dynamodb, table, {"NS": ["1.0", "1.00"]}) == "ValidationException"
    equal: dict[T.DataType, list[Any]] = {
        T.DecimalType(38, 10): [Decimal("1.0"), Decimal("1.00"), Decimal("1")],
        T.DecimalType(38, 38): [Decimal("0"), Decimal("0E-38"), Decimal("-0.0")],
        DOUBLE: [0.0, -0.0],
        T.FloatType(): [1e10, 10000000000.0],
    }
    for dtype, values in equal.items():
        frame = spark.createDataFrame([(v,) for v in values], T.StructType().add("v", dtype))
        texts = {r.t for r in frame.select(scalar(F.col("v"), dtype).alias("t")).collect()}
        assert len(texts) == 1
        assert refused(dynamodb, table, {"NS": [json.loads(text) for text in texts]}) is None


# --- policies, from the warehouse to the table ------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def view(sandbox: Sandbox) -> None:
    """User big has 1,000 items of 1,000 bytes, small has 3, some of them NULL."""
    execute(
        sandbox,
        f"""
        create schema if not exists analytics;
        drop table if exists {VIEW} cascade;
        create table {VIEW} as
        select 'big' as user_id, 0 as partition_id, n as line_number,
            lpad(n::text, 999, '0') as item_id, null::text as country, 'a' as tag
        from generate_series(0, 999) as n
        union all
        select 'small', 1, n, nullif('i' || n, 'i1'), 'UK', nullif('t' || n, 't1')
        from generate_series(0, 2) as n
        union all
        select 'none', 2, n, null, 'FR', null from generate_series(0, 1) as n
        """,
    )


def load(loader: Run, folder: Path, name: str, **settings: Any) -> tuple[Any, dict[str, Any]]:
    collect = settings.pop("collect", {"items": {"column": "item_id", "order_by": "line_number"}})
    chosen = project(folder, {name: export(name, collect=collect, **settings)}, VIEW)
    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table", "--json")
    return run, json.loads(run.out)


def numbers(values: list[Any]) -> list[int]:
    return [int(value) for value in values]


@pytest.mark.parametrize(("end", "kept"), [("first", range(409)), ("last", range(591, 1_000))])
def test_a_truncated_item_is_that_of_the_rows_it_keeps_with_the_count_of_the_others(
    loader: Run, items: Items, tmp_path: Path, end: str, kept: range
) -> None:
    collect = {
        "items": {"column": "item_id", "order_by": "line_number"},
        "tags": {"column": "tag", "order_by": "line_number", "distinct": True, "nulls": "omit"},
        "users": {"column": "user_id", "order_by": "line_number", "as": "set"},
    }
    run, report = load(loader, tmp_path, f"keep_{end}", oversize={"truncate": end}, collect=collect)

    by_user = {item["user_id"]: item for item in items(f"keep_{end}")}
    counts = ("rows_grouped", "items", "put", "rejected", "truncated_items", "dropped_elements")
    assert run.code == 0
    assert [report[name] for name in counts] == [1_005, 3, 3, 0, 1, 591]
    assert numbers(by_user["big"]["items"]) == list(kept)
    rest = {name: value for name, value in by_user["big"].items() if name != "items"}
    assert rest == {"user_id": "big", "items_dropped": 591, "tags": ["a"], "users": {"big"}}
    assert by_user["small"] == {
        "user_id": "small",
        "items": ["i0", None, "i2"],
        "tags": ["t0", "t2"],
        "users": {"small"},
    }


def read_list(dynamodb: DynamoDBClient, table: str, user: str) -> list[str]:
    """Read a list as docs/exports.md describes."""
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="user_id = :u",
        ExpressionAttributeValues={":u": {"S": user}},
    )
    items = [item for page in pages for item in page["Items"]]
    count = int(items[0].get("part_count", {"N": "1"})["N"])
    return [element["S"] for item in items[:count] for element in item["items"]["L"]]


def test_a_split_list_is_read_whole_by_a_query_even_after_it_became_shorter(
    loader: Run, dynamodb: DynamoDBClient, items: Items, tmp_path: Path
) -> None:
    split = {"oversize": {"split": "part"}}
    run, report = load(loader, tmp_path / "a", "parts", **split)

    written = items("parts")
    big = sorted((item for item in written if item["user_id"] == "big"), key=lambda i: i["part"])
    assert run.code == 0
    counts = ("rows_grouped", "items", "split_items", "put", "rejected", "mismatch")
    assert [report[name] for name in counts] == [1_005, 3, 2, 5, 0, []]
    assert [(item["part"], item.get("part_count")) for item in big] == [
        (0, 3),
        (1, None),
        (2, None),
    ]
    assert [item for item in written if item["user_id"] == "small"] == [
        {"user_id": "small", "part": 0, "items": ["i0", None, "i2"]}
    ]
    assert numbers(read_list(dynamodb, "parts", "big")) == list(range(1_000))
    sizes = [
        7 + 3 + 4 + (2 if n else 1 + 12) + 8 + 1_000 * k for n, k in enumerate((409, 409, 182))
    ]
    assert report["write_units"] == sum(-(-size // 1024) for size in sizes) + 2

    shorter = {"items": {"column": "item_id", "order_by": "line_number", "limit": 500}}
    _, report = load(loader, tmp_path / "b", "parts", collect=shorter, **split)

    assert [report[name] for name in counts] == [1_005, 3, 1, 4, 0, []]
    assert len(items("parts")) == 5  # the old item 2 is still there
    assert numbers(read_list(dynamodb, "parts", "big")) == list(range(500))


def test_an_item_over_the_limit_is_rejected_by_default(loader: Run, tmp_path: Path) -> None:
    run, report = load(loader, tmp_path, "whole")

    size = len("user_id") + 3 + len("items") + 3 + 1_000 * 1_000
    assert (run.code, report["items"], report["put"], report["rejected"]) == (1, 3, 2, 1)
    assert report["rejects"] == [
        {
            "reason": f"item must be at most {ITEM_BYTES} bytes, got {size}",
            "rows": 1_000,
            "key": '"user_id":{"S":"big"}',
        }
    ]


def test_nulls_are_omitted_kept_or_rejected_as_the_export_sets(
    loader: Run, items: Items, tmp_path: Path
) -> None:
    collect = {"column": "item_id", "order_by": "line_number", "limit": 2}
    outcomes: dict[str, Any] = {}
    for attributes, elements in (("omit", "keep"), ("keep", "omit"), ("reject", "reject")):
        name = f"nulls_{attributes}"
        _, report = load(
            loader, tmp_path / name, name, attributes=["country"], nulls=attributes,
            collect={"items": {**collect, "nulls": elements}},
        )  # fmt: skip
        by_user = {item.pop("user_id"): item for item in items(name)}
        reasons = sorted(reject["reason"] for reject in report["rejects"])
        outcomes[attributes] = (by_user.get("small"), by_user.get("none"), reasons)
        if "big" in by_user:
            assert by_user["big"].get("country", "absent") == (
                "absent" if attributes == "omit" else None
            )

    assert outcomes == {
        "omit": (
            {"items": ["i0", None], "country": "UK"},
            {"items": [None, None], "country": "FR"},
            [],
        ),
        "keep": ({"items": ["i0", "i2"], "country": "UK"}, {"items": [], "country": "FR"}, []),
        "reject": (
            None,
            None,
            [
                "column country must not be NULL, got NULL",
                "column item_id must not be NULL, got NULL",
                "column item_id must not be NULL, got NULL",
            ],
        ),
    }


def test_a_set_has_no_null_and_is_never_empty(loader: Run, items: Items, tmp_path: Path) -> None:
    tags = {"column": "tag", "as": "set", "order_by": "line_number"}
    strict = load(loader, tmp_path / "a", "set_reject", collect={"tags": tags})[1]
    loose = load(loader, tmp_path / "b", "set_omit", collect={"tags": {**tags, "nulls": "omit"}})[1]

    null = "column tag must not be NULL in a set, got NULL"
    assert [(r["key"], r["reason"]) for r in strict["rejects"]] == [
        ('"user_id":{"S":"small"}', null),
        ('"user_id":{"S":"none"}', null),
    ]
    assert [(r["key"], r["reason"]) for r in loose["rejects"]] == [
        ('"user_id":{"S":"none"}', "set tags must not be empty, got NULL in all rows")
    ]
    assert {item["user_id"]: item["tags"] for item in items("set_omit")} == {
        "big": {"a"},
        "small": {"t0", "t2"},
    }
