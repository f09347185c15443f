"""The table that was loaded against its model and its state, on real servers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import SparkSession

from loader.dynamodb.scan import Segment
from loader.dynamodb.table import describe, endpoint
from loader.items.canonical import canonical_text
from loader.items.digest import digest
from loader.items.item_size import item_bytes
from loader.settings import Settings
from loader.storage.location import Location
from loader.storage.state_part import read_state_part
from loader.verify.scan_job import ScannedTable, scan_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.integration


def create_table(dynamodb: DynamoDBClient, name: str, key: dict[str, str]) -> None:
    kinds: Any = zip(key, ("HASH", "RANGE"), strict=False)
    attributes: Any = [{"AttributeName": n, "AttributeType": t} for n, t in key.items()]
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": n, "KeyType": kind} for n, kind in kinds],
        AttributeDefinitions=attributes,
        BillingMode="PAY_PER_REQUEST",
    )


def put(dynamodb: DynamoDBClient, table: str, items: list[dict[str, Any]]) -> None:
    for start in range(0, len(items), 25):
        requests: Any = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        dynamodb.batch_write_item(RequestItems={table: requests})


def test_a_scan_reads_every_item_once_with_its_digest_and_its_size(
    spark: SparkSession, sandbox_env: dict[str, str], dynamodb: DynamoDBClient, tmp_path: Path
) -> None:
    create_table(dynamodb, "scanned", {"k": "S", "n": "N"})
    items = [
        {"n": {"N": str(n)}, "k": {"S": f"é{n % 7}"}, "x": {"SS": ["b", f"a{n}"]}, "y": {"L": []}}
        for n in range(1_000)
    ]
    put(dynamodb, "scanned", items)
    description = describe(dynamodb, "scanned")
    assert description is not None
    table = ScannedTable(endpoint(dynamodb, "scanned"), description, ("k", "n", "y", "x"))
    export = Location(str(tmp_path))
    segments = [Segment(0, 2), Segment(1, 2)]  # more than a page each

    result = scan_table(spark, Settings(), table, export, export / "runs" / "r", segments)

    rows = [row for part in result.parts for row in read_state_part(export, part).to_pylist()]
    keys = {row["key"]: (row["digest"], row["size"]) for row in rows}
    assert len(rows) == len(keys) == result.items == 1_000
    assert keys == {
        f'"k":{{"S":"é{n % 7}"}},"n":{{"N":"{n}"}}': (
            digest(canonical_text(item, ("k", "n", "y", "x"))),
            item_bytes(item),
        )
        for n, item in enumerate(items)
    }
    assert result.bytes == sum(map(item_bytes, items))
    assert result.consumed > 0
    assert all(part.file.startswith("runs/r/state/0000") for part in result.parts)
