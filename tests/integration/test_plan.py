"""`loader plan` against real servers: its estimates and counts are those of the load."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import Sandbox
from tests.support.projects import Project, export, project
from tests.support.run_dbt import run_commands
from tests.support.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
STAGING = "analytics.stg_retail__transactions"


def planned(loader: Run, *arguments: str) -> dict[str, Any]:
    run = loader("plan", *arguments, "--json")
    assert run.code == 0, run.err
    facts: dict[str, Any] = json.loads(run.out)
    return facts


def applied(loader: Run, facts: dict[str, Any]) -> dict[str, Any]:
    run = loader("apply", facts["folder"], "--create-table", "--json")
    assert run.code == 0, run.err
    report: dict[str, Any] = json.loads(run.out)
    return report


def test_the_units_of_indexes_are_estimated_too(
    loader: Run, execute: Run, dynamodb: DynamoDBClient, tmp_path: Path
) -> None:
    """Items of about 3 KB, in an index of all, one of keys, and one that stays empty."""
    execute("create schema if not exists analytics; drop table if exists analytics.indexed_units")
    execute(
        "create table analytics.indexed_units as select 'u' || n as user_id, n % 30 as "
        "partition_id, 'c' || n % 3 as country, repeat('x', 3000) as text_ "
        "from generate_series(1, 90) as n"
    )
    dynamodb.create_table(
        TableName="indexed_units",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("user_id", "country", "city")
        ],
        KeySchema=[{"AttributeName": "user_id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": name,
                "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
                "Projection": {"ProjectionType": projection},
                "OnDemandThroughput": {"MaxWriteRequestUnits": 100, "MaxReadRequestUnits": -1},
            }
            for name, key, projection in (
                ("all_", "country", "ALL"),
                ("keys", "country", "KEYS_ONLY"),
                ("empty", "city", "ALL"),
            )
        ],
    )  # type: ignore[call-overload,unused-ignore]
    settings = export("indexed_units", collect=None, attributes=["country", "text_"])
    chosen = project(tmp_path, {"indexed_units": settings}, "analytics.indexed_units")

    facts = planned(loader, *chosen.arguments, *chosen.storage)
    consumed = applied(loader, facts)["write_units"]

    estimate = facts["estimate"]
    assert facts["notes"] == [
        "index empty stays empty: the export does not write its key attribute city"
    ]
    assert (estimate["table_units"], estimate["index_units"]) == (
        270,
        {"all_": 270, "keys": 90, "empty": 0},
    )
    assert (estimate["write_units"], consumed) == (630, 630)
    # Half of what each index accepts.
    assert (estimate["rate"], estimate["seconds"]) == (50, 5.4)


def test_items_that_never_expire_are_noted(
    loader: Run, execute: Run, dynamodb: DynamoDBClient, tmp_path: Path
) -> None:
    execute("create schema if not exists analytics; drop table if exists analytics.expiring")
    execute(
        "create table analytics.expiring as select 'u' || n as user_id, n as partition_id, "
        "1893456000 as seconds, 1893456000000 as millis, '2030-01-01'::text as day "
        "from generate_series(0, 2) as n"
    )
    names = ("seconds", "millis", "day", "absent")
    exports = {}
    for name in names:
        table = exports[name] = export(
            f"expiring_{name}", collect=None, attributes=["seconds", "millis", "day"]
        )
        create_table(dynamodb, table["table"])
        dynamodb.update_time_to_live(
            TableName=table["table"],
            TimeToLiveSpecification={"Enabled": True, "AttributeName": name},
        )
    chosen = project(tmp_path, exports, "analytics.expiring")

    run = loader("plan", *chosen.arguments, *chosen.storage, "--skip-dbt-gate", "--json")

    assert run.code == 0, run.err
    facts = [json.loads(line) for line in run.out.splitlines()]
    never = "DynamoDB never expires the items:"
    assert {fact["export"]: fact["notes"] for fact in facts} == {
        "seconds": [],
        "millis": [
            f"{never} the time to live attribute millis has 1893456000000, which is milliseconds, "
            "not seconds"
        ],
        "day": [
            f"{never} the time to live attribute day is S, not a number of seconds since 1970, "
            "such as extract(epoch from …)"
        ],
        "absent": [f"{never} the export does not write the time to live attribute absent"],
    }


def test_the_warehouse_counts_during_the_read_and_after_it(
    loader: Run, retail: Project, sandbox: Sandbox, tmp_path: Path
) -> None:
    chosen = project(tmp_path, {"counted": export("counted")}, STAGING)
    before = len(sandbox.statements())

    facts = planned(loader, *chosen.arguments, *chosen.storage, "--create-table", "--queries", "8")

    run = f"/* loader run={facts['run']} export=counted"
    asked = [s for s in sandbox.statements()[before:] if run in s.text and "1=0" not in s.text]
    counts = [s for s in asked if "count(*)" in s.text]
    reads = [s for s in asked if "count(*)" not in s.text]
    names = ("rows", "warehouse_rows_before", "warehouse_rows_after", "source_changed")
    assert [facts[name] for name in names] == [407_695, 407_695, 407_695, False]
    assert (facts["items"], facts["warehouse_keys"]) == (4_314, 4_314)
    assert (len(counts), len(reads)) == (2, 8)
    ends = [s.finished_at for s in reads if s.finished_at]
    assert counts[0].started_at < max(ends) < counts[1].started_at


def test_a_source_that_changes_during_the_read_is_reported(
    loader: Run, execute: Run, tmp_path: Path
) -> None:
    """Each query of the view sees one row more than the query before."""
    execute("drop view if exists analytics.moving")
    execute("drop sequence if exists analytics.asked")
    execute("create sequence analytics.asked")
    execute(
        "create view analytics.moving as select 'u' || n as user_id, n % 30 as partition_id, "
        "'i' as item_id, n as line_number, now()::timestamp as purchased_at "
        "from generate_series(1, 60 + (select nextval('analytics.asked')::int)) as n"
    )
    chosen = project(tmp_path, {"moving": export("moving")}, "analytics.moving")

    run = loader("plan", *chosen.arguments, *chosen.storage, "--create-table")

    assert run.code == 0
    lines = run.out.splitlines()
    assert (
        lines[4]
        == "             the model CHANGED during the read: items may be from different times"
    )


def test_keys_and_rows_are_counted_right_where_keys_are_null(
    loader: Run, execute: Run, tmp_path: Path
) -> None:
    execute("drop table if exists analytics.some_null")
    execute(
        """
        create table analytics.some_null as
        select nullif('u' || n % 5, 'u3') as user_id, nullif(n % 4, 1) as day,
            case when n % 5 <> 3 then n % 5 end as partition_id, 'x' as v
        from generate_series(1, 100) as n
        """
    )
    settings = export(
        "some_null", key=["user_id", "day"], collect={"v": {"column": "v", "as": "list"}}
    )
    chosen = project(tmp_path, {"some_null": settings}, "analytics.some_null")

    run = loader("plan", *chosen.arguments, *chosen.storage, "--create-table", "--json")

    facts = json.loads(run.out)
    names = ("rows", "keyless_rows", "warehouse_rows_before", "items", "warehouse_keys")
    assert run.code == 1
    assert [facts[name] for name in names] == [100, 40, 100, 12, 12]


def test_an_export_that_dbt_has_tested_may_be_loaded_until_dbt_parses_again(
    loader: Run, retail: Project, sandbox: Sandbox, tmp_path: Path
) -> None:
    again = Project(tmp_path / "dbt_project")
    shutil.copytree(retail.folder, again.folder)
    places = ["--project-dir", str(again.folder), "--profiles-dir", str(again.folder)]
    parse = ["parse", "--target-path", str(again.folder / "target")]

    tested = loader("plan", *again.arguments, *again.storage, "--create-table")
    [result] = run_commands(again.folder, again.folder, [parse], sandbox.env())
    parsed = loader("plan", *again.arguments, *again.storage, "--create-table")

    assert (tested.code, result["success"], parsed.code) == (0, True, 2)
    assert "min ago (17 of 17)" in tested.out.splitlines()[1]
    assert parsed.err == (
        "1 problem with export user_items, nothing was written\n"
        "  1  dbt must have built and tested export user_items, got results and a manifest of "
        f"different dbt commands: run `dbt build {' '.join(places)} "
        "--select +exposure:user_items`, or load with --skip-dbt-gate\n"
    )
