"""Values that a secondary index does not accept are rejected by the plan, not by DynamoDB."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.projects import export, project

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.indexed_rows"
# Key, country, city, code. The index `by_country` has the key country, city; `by_key` has
# country, k; `by_code` is local, with the sort key code.
ROWS = """
    ('good', 'fr', 'x', 'a'),
    ('no country', null, 'x', 'a'),
    ('no code', 'fr', 'x', null),
    ('longest', repeat('é', 1024), repeat('s', 1024), 'a'),
    ('empty country', '', 'x', 'a'),
    ('long country', repeat('é', 1025), 'x', 'a'),
    ('no city', 'fr', null, 'a'),
    ('empty city', 'fr', '', 'a'),
    ('long city', 'fr', repeat('s', 1025), 'a'),
    ('empty code', 'fr', 'x', ''),
    (repeat('k', 1025), 'fr', 'x', 'a')
"""
REJECTS = {
    "empty country": "column country must not be empty as key of index by_country, got ''",
    "long country": "column country must be at most 2048 bytes as key of index by_country, "
    "got 2050",
    "no city": "column city must not be NULL as key of index by_country, got NULL",
    "empty city": "column city must not be empty as key of index by_country, got ''",
    "long city": "column city must be at most 1024 bytes as key of index by_country, got 1025",
    "empty code": "column code must not be empty as key of index by_code, got ''",
    "k" * 1025: "column k must be at most 1024 bytes as key of index by_key, got 1025",
}


def index(name: str, *key: str) -> Any:
    kinds = zip(key, ("HASH", "RANGE"), strict=False)
    return {
        "IndexName": name,
        "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in kinds],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }


def test_a_value_that_an_index_does_not_accept_is_rejected_by_the_plan_with_its_column(
    loader: Run, dynamodb: DynamoDBClient, execute: Run, items: Run, tmp_path: Path
) -> None:
    execute(
        "create schema if not exists analytics; "
        f"create table {VIEW} as select k, country, city, code, 1 as n, 0 as part "
        f"from (values {ROWS}) as row (k, country, city, code)"
    )
    names = ("k", "n", "country", "city", "code")
    attributes: Any = [
        {"AttributeName": name, "AttributeType": "N" if name == "n" else "S"} for name in names
    ]
    dynamodb.create_table(
        TableName="indexed",
        KeySchema=index("", "k", "n")["KeySchema"],
        AttributeDefinitions=attributes,
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            index("by_country", "country", "city"),
            index("by_key", "country", "k"),
        ],
        LocalSecondaryIndexes=[index("by_code", "k", "code")],
    )
    settings = export(
        "indexed",
        key=["k", "n"],
        partition_column="part",
        partitions=1,
        collect=None,
        attributes=["country", "city", "code"],
        nulls={"city": "keep"},
    )
    chosen = project(tmp_path / "p", {"indexed": settings}, VIEW)

    run = loader("load", *chosen.arguments, *chosen.storage, "--json")

    report = json.loads(run.out)
    lines = (Path(report["folder"]) / "rejects.jsonl").read_text().splitlines()
    rejects = {e["key"]["k"]["S"]: e["reason"] for e in map(json.loads, lines)}
    assert (run.code, rejects) == (1, REJECTS), run.err
    assert (report["requests"], report["put"], report["rejected"]) == (1, 4, len(REJECTS))
    assert {item["k"] for item in items("indexed")} == {
        "good",
        "no country",
        "no code",
        "longest",
    }
