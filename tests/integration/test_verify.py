"""The table that was loaded against its model and its state, on real servers."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyspark.sql import SparkSession

from loader.dynamodb.scan import Segment
from loader.dynamodb.table import describe, endpoint
from loader.items.canonical import canonical_text
from loader.items.digest import digest
from loader.items.item_size import item_bytes
from loader.printable import plain_key
from loader.settings import Settings
from loader.storage.location import Location
from loader.storage.state_part import read_state_part
from loader.verify.scan_job import ScannedTable, scan_table
from sandbox import Sandbox
from tests.support.projects import Project, project
from tests.support.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.integration

Run = Callable[..., Any]


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
    table = ScannedTable(dynamodb, endpoint(dynamodb, "scanned"), description, ("k", "n", "y", "x"))
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


@pytest.fixture(scope="module")
def schema(sandbox: Sandbox) -> None:
    """300 users, one of whom has an item that is too large, and one row without a key."""
    with sandbox.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            """
            create schema if not exists analytics;
            create table analytics.verified as
            select 'u' || n % 300 as user_id, (n % 300)::bigint as day, n % 6 as partition_id,
                'i' || n as item_id, (n / 300 % 2) + 0.50::numeric(38, 2) as price,
                n % 300 / 7.0::double precision as ratio, n as line_number
            from generate_series(1, 3000) as n
            union all select 'big', 1, 5, repeat('y', 4096), 0, 0, n
            from generate_series(1, 101) as n
            union all select null, 1, 5, 'x', 0, 0, 1
            """
        )
    connection.close()


def verified(tmp_path: Path) -> Project:
    settings = {
        "table": "verified",
        "key": ["user_id", "day"],
        "partition_column": "partition_id",
        "partitions": 6,
        "collect": {
            "items": {"column": "item_id", "order_by": ["line_number"]},
            "prices": {"column": "price", "as": "set", "order_by": ["line_number"]},
        },
        "attributes": ["ratio"],
    }
    return project(tmp_path / "p", {"verified": settings}, "analytics.verified")


def test_what_others_wrote_to_the_table_is_found_and_written_again_after_an_adoption(
    loader: Run, dynamodb: DynamoDBClient, schema: None, tmp_path: Path
) -> None:
    chosen = verified(tmp_path)
    project_options = [*chosen.arguments, *chosen.storage]
    load = ["load", *project_options, "--max-rejects", "9", "--json"]
    command = ["verify", "verified", *project_options, "--json"]
    home = Path(chosen.storage[1]) / "verified"
    loader(*load, "--create-table")

    clean = facts(loader(*command))
    tamper(dynamodb)
    model, state = facts(loader(*command)), facts(loader(*command, "--against", "state"))
    sample = facts(loader(*command, "--sample", "60%"))
    left = [*(home / "verify").iterdir()]
    adopted = facts(loader("state", "adopt", "verified", *project_options, "--json"))
    report = facts(loader(*load, "--allow-deletes", "1"))
    repaired = facts(loader(*command))
    (home / "current.json").write_text("{}")
    damaged = loader(*load)
    readopted = facts(loader("state", "adopt", "verified", *project_options, "--json"))
    unchanged = facts(loader(*load))

    assert counts(clean) == (0, 300, 300, 0, 0, 0, 0)
    assert counts(model) == (1, 300, 298, 1, 1, 1, 1)
    assert counts(state) == (1, 300, 298, 1, 2, 1, 0)
    assert (model["rejected_items"], model["keyless_rows"]) == (1, 1)
    assert [keys(model, kind) for kind in KINDS] == [
        ["user_id u8, day 8"],
        ["user_id stranger, day 1.5"],
        ["user_id u7, day 7"],
    ]
    assert model["different_examples"][0]["attributes"] == [
        {"name": "prices", "table": None, "model": PRICES},
        {"name": "ratio", "table": '{"N":"7"}', "model": '{"N":"1"}'},
    ]
    assert 0 < sample["sample"]["keys"] < 300
    assert 0 < sample["sample"]["scanned_items"] < 301
    assert left == []
    assert (adopted["keys"], adopted["serial"], adopted["replaced"]) == (301, 2, 300)
    assert (report["put"], report["deleted"], report["unchanged"]) == (2, 1, 298)
    assert counts(repaired) == (0, 300, 300, 0, 0, 0, 1)
    assert damaged.code == 2
    assert f"{home}/current.json must be the state of an export" in damaged.err
    adopt = ["loader", "state", "adopt", "verified", *chosen.storage, *chosen.arguments]
    assert f"`{shlex.join(adopt)}`" in damaged.err
    assert (readopted["keys"], readopted["replaced"]) == (301, None)
    assert (unchanged["put"], unchanged["deleted"], unchanged["unchanged"]) == (0, 0, 300)


def tamper(dynamodb: DynamoDBClient) -> None:
    """Delete an item, change one, add one, and add that of a key whose item the plan rejects."""
    key: Any = {"user_id": {"S": "u7"}, "day": {"N": "7"}}
    changed: Any = dynamodb.get_item(TableName="verified", Key=key)["Item"]
    changed["ratio"] = {"N": "7"}
    del changed["prices"]
    stranger: Any = {"user_id": {"S": "stranger"}, "day": {"N": "1.50"}}
    rejected: Any = {"user_id": {"S": "big"}, "day": {"N": "1"}}
    put(dynamodb, "verified", [changed, stranger, rejected])
    dynamodb.delete_item(TableName="verified", Key={"user_id": {"S": "u8"}, "day": {"N": "8"}})


KINDS = ("missing", "extra", "different")
PRICES = '{"NS":["0.5","1.5"]}'


def facts(run: Any) -> dict[str, Any]:
    """The JSON that a command printed, with its exit code."""
    assert run.out, run.err
    return {**json.loads(run.out), "code": run.code}


def counts(found: dict[str, Any]) -> tuple[int, ...]:
    names = ("code", "expected", "equal", "missing", "extra", "different", "rejected")
    return tuple(found[name] for name in names)


def keys(found: dict[str, Any], kind: str) -> list[str]:
    return [plain_key(example["key"]) for example in found[f"{kind}_examples"]]
