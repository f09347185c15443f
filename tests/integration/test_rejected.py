"""Bad rows and items are rejected, each with its whole reason; the good ones are written.

To add a case, add its rows to ROWS and its reason to REJECTS.
"""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from sandbox import Sandbox
from tests.support.projects import export, project

pytestmark = pytest.mark.integration

VIEW = "analytics.bad_rows"
# Key, sort key, country, price, ratio, code; one string a row of the view.
ROWS = """
    null, 'fr', 'x', 1, 1, 'a'
    null, 'de', 'x', 1, 1, 'a'
    '', 'fr', 'x', 1, 1, 'a'
    repeat('é', 1025), 'fr', 'x', 1, 1, 'a'
    'no sort key', null, 'x', 1, 1, 'a'
    'empty sort key', '', 'x', 1, 1, 'a'
    'long sort key', repeat('s', 1025), 'x', 1, 1, 'a'
    'nan', 'fr', 'x', 'NaN', 1, 'a'
    'infinity', 'fr', 'x', 'Infinity', 1, 'a'
    'minus infinity', 'fr', 'x', '-Infinity', 1, 'a'
    'too large', 'fr', 'x', 1e126, 1, 'a'
    'too small', 'fr', 'x', -1e-131, 1, 'a'
    'nan in a list', 'fr', 'x', 1, 'NaN', 'a'
    'two countries', 'fr', 'x', 1, 1, 'a'
    'two countries', 'fr', 'y', 1, 1, 'a'
    'a country and none', 'fr', null, 1, 1, 'a'
    'a country and none', 'fr', 'y', 1, 1, 'a'
    'null in a set', 'fr', 'x', 1, 1, null
    'good', 'fr', 'x', 1, 1, 'a'
"""
LISTS = export(
    "bad_lists",
    key=["k", "sort"],
    partition_column="part",
    partitions=1,
    collect={"ratios": {"column": "ratio", "order_by": ["n"]}},
    attributes=["country", "price"],
)
SETS = export(
    "bad_sets",
    key="n",
    partition_column="part",
    partitions=1,
    collect={
        "codes": {"column": "code", "as": "set"},
        "ratios": {"column": "ratio", "as": "set"},
    },
)
ONES = export("bad_ones", key="k", partition_column="part", partitions=1, collect=None)
BIG = export(
    "bad_big",
    key="sort",
    partition_column="part",
    partitions=1,
    collect={"texts": {"column": "text", "order_by": ["n"]}},
)


def item(*values: str, names: tuple[str, ...] = ("k", "sort")) -> str:
    """A key as the report has it."""
    pairs = zip(names, values, strict=False)
    return ",".join(
        f'"{name}":{json.dumps({"S": value}, ensure_ascii=False, separators=(",", ":"))}'
        for name, value in pairs
    )


def number(price: str) -> str:
    return f"column price must be a number DynamoDB can hold, got {price}"


DIFFERS = (
    "attributes must be the same in all rows of a key, got different values: "
    "collect them, or make them constant in the model"
)
# Export, key, rows, reason.
REJECTS = [
    ("lists", None, 2, "key column k must not be NULL, got NULL"),
    ("lists", None, 1, "key column sort must not be NULL, got NULL"),
    ("lists", item("", "fr"), 1, "key column k must not be empty, got ''"),
    ("lists", item("é" * 1025, "fr"), 1, "key column k must be at most 2048 bytes, got 2050"),
    ("lists", item("empty sort key", ""), 1, "key column sort must not be empty, got ''"),
    (
        "lists",
        item("long sort key", "s" * 1025),
        1,
        "key column sort must be at most 1024 bytes, got 1025",
    ),
    ("lists", item("nan", "fr"), 1, number("NaN")),
    ("lists", item("infinity", "fr"), 1, number("Infinity")),
    ("lists", item("minus infinity", "fr"), 1, number("-Infinity")),
    ("lists", item("too large", "fr"), 1, number("1.0E126")),
    ("lists", item("too small", "fr"), 1, number("-1.0E-131")),
    (
        "lists",
        item("nan in a list", "fr"),
        1,
        "column ratio must be a number DynamoDB can hold, got NaN",
    ),
    ("lists", item("two countries", "fr"), 2, DIFFERS),
    ("lists", item("a country and none", "fr"), 2, DIFFERS),
    ("sets", '"n":{"N":"18"}', 1, "column code must not be NULL in a set, got NULL"),
    (
        "sets",
        '"n":{"N":"13"}',
        1,
        "column ratio must be a number DynamoDB can hold, got NaN",
    ),
    ("ones", item("two countries"), 2, "a key must have one row, got 2"),
    (
        "big",
        item("fr", names=("sort",)),
        15,
        "item must be at most 409600 bytes, got 450029",
    ),
]


@pytest.fixture(scope="module")
def reports(
    sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """The reports of one load of all exports, by name."""
    lines = [line.strip() for line in ROWS.strip().splitlines()]
    values = ", ".join(f"({n}, {line})" for n, line in enumerate(lines, 1))
    with sandbox.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            f"""
            create schema if not exists analytics;
            drop table if exists {VIEW};
            create table {VIEW} (
                n integer, k text, sort text, country text, price float8, ratio float4, code text
            );
            insert into {VIEW} values {values};
            alter table {VIEW} add part integer default 0, add text text default repeat('t', 30000)
            """
        )
    connection.close()
    exports = {"lists": LISTS, "sets": SETS, "ones": ONES, "big": BIG}
    chosen = project(tmp_path_factory.mktemp("rejected") / "p", exports, VIEW)
    command = ["load", *chosen.arguments, *chosen.storage, "--create-table", "--json"]
    run = subprocess.run(
        [sys.executable, "-m", "loader", *command],
        env=os.environ | sandbox.env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stderr
    return {report["export"]: report for report in map(json.loads, run.stdout.splitlines())}


@pytest.mark.parametrize(("name", "key", "rows", "reason"), REJECTS)
def test_items_that_dynamodb_would_refuse_are_rejected_with_their_reason(
    reports: dict[str, dict[str, Any]], name: str, key: str | None, rows: int, reason: str
) -> None:
    rejects = reports[name]["rejects"]

    assert {"reason": reason, "rows": rows, "key": key} in rejects, rejects


def test_everything_else_is_written(
    reports: dict[str, dict[str, Any]], items: Callable[[str], list[dict[str, Any]]]
) -> None:
    expected = [reject for name, *reject in REJECTS if name == "lists"]

    assert len(reports["lists"]["rejects"]) == len(expected)
    assert {i["k"] for i in items("bad_lists")} == {"good", "null in a set"}
    assert all(report["not_sent"] == 0 for report in reports.values())
