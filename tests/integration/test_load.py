"""The straight path: every item in DynamoDB is what an independent query on the warehouse says."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import jsonschema
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from loader.items import rows
from sandbox import Sandbox
from sandbox.seed import DATA
from sandbox.statements import most_at_once
from tests.support.projects import Project, export, project
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
Items = Callable[[str], list[dict[str, Any]]]
STAGING = "analytics.stg_retail__transactions"

# Written anew from the rule's description, not from the model; string_agg instead of Spark.
PURCHASES = """
    select customer_id::text, string_agg(stock_code, ',' order by invoice_date, line_number)
    from retail.transactions
    where customer_id is not null and left(invoice, 1) <> 'C' and quantity > 0
    group by customer_id
"""


def report_problems(report: dict[str, Any]) -> list[str]:
    schema = json.loads((REPOSITORY / "docs" / "report.schema.json").read_text())
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(report)]


def expected(execute: Run) -> dict[str, list[str]]:
    return {user: codes.split(",") for user, codes in execute(PURCHASES)}


def written(items: Items, table: str) -> dict[str, list[str]]:
    found = items(table)
    by_user = {item["user_id"]: item["items"] for item in found}
    assert len(by_user) == len(found)
    return by_user


def test_every_user_has_exactly_the_purchases_that_the_warehouse_has(
    loader: Run, retail: Project, execute: Run, items: Items
) -> None:
    run = loader("load", *retail.arguments, *retail.storage, "--create-table", "--json")

    assert (run.code, run.err.splitlines()[-1].split(" · ")[0]) == (
        0,
        "apply  4,314/4,314 items",
    )
    report = json.loads(run.out)
    counts = ("rows_read", "rows_grouped", "items", "put", "rejected", "not_sent", "write_units")
    assert [report[name] for name in counts] == [407_695, 407_695, 4_314, 4_314, 0, 0, 5_483]
    assert report_problems(report) == []
    points, parts = report["over_time"]["points"], report["partitions"]
    assert sum(point["items"] for point in points) == report["put"]
    assert sum(point["write_units"] for point in points) == report["write_units"]
    assert [sum(part[n] for part in parts) for n in ("rows", "items", "write_units")] == [
        407_695,
        4_314,
        5_483,
    ]
    folder = Path(report["folder"])
    assert json.loads((folder / "report.json").read_text()) == report
    assert oct(stat.S_IMODE((folder / "report.html").stat().st_mode)) == "0o600"
    assert "user_items is complete" in (folder / "report.html").read_text()
    assert written(items, "user_items") == expected(execute)


def test_the_same_holds_for_another_file(
    loader: Run, retail: Project, execute: Run, items: Items, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Other users, other orders: what the first file left in the table is not what is read."""
    table = pq.read_table(DATA).slice(1_000, 40_000)
    customer = pc.add(table.column("customer_id"), 1_000_000)
    place = table.column_names.index("customer_id")
    other = table.set_column(place, table.field("customer_id"), customer)
    pq.write_table(other, tmp_path / "other.parquet")
    sandbox.seed(tmp_path / "other.parquet")
    try:
        settings = export("other_items")
        chosen = project(tmp_path / "project", {"other_items": settings}, STAGING)
        run = loader("load", *chosen.arguments, *chosen.storage, "--create-table")
        truth = expected(execute)
    finally:
        sandbox.seed()

    assert run.code == 0
    assert len(truth) > 100
    assert written(items, "other_items") == truth


@pytest.mark.parametrize("queries", [3, 8])
def test_the_warehouse_gets_range_queries_as_many_at_once_as_the_setting_says(
    loader: Run, retail: Project, sandbox: Sandbox, execute: Run, tmp_path: Path, queries: int
) -> None:
    """The view sleeps once a query, so that the queries meet whatever the machine does."""
    execute("drop view if exists analytics.slow_items")
    execute(
        f"create view analytics.slow_items as select * from {STAGING} "
        "cross join (select pg_sleep(1.5)::text) as pause"
    )
    chosen = project(tmp_path, {"slow_items": export("slow_items")}, "analytics.slow_items")
    before = len(sandbox.statements())

    run = loader(
        "plan", *chosen.arguments, *chosen.storage, "--create-table", "--queries", str(queries),
        "--json",
    )  # fmt: skip

    assert run.code == 0
    read = [s for s in sandbox.statements()[before:] if "loader run=" in s.text]
    label = f"/* loader run={json.loads(run.out)['run']} export=slow_items partitions=30"
    ranged = [s for s in read if "WHERE" in s.text and "1=0" not in s.text]
    assert all(label in s.text and '"partition_id" ' in s.text for s in ranged)
    assert (len(ranged), most_at_once(ranged)) == (queries, queries)
    assert all("Executor task launch worker" in s.application_name for s in ranged)


def test_dbt_redshift_builds_the_view_and_the_loader_only_reads(
    retail: Project, sandbox: Sandbox
) -> None:
    made = [s for s in sandbox.statements() if "create view" in s.text.lower()]

    assert any('"app": "dbt"' in s.text and "stg_retail__transactions" in s.text for s in made)


def test_a_plan_writes_nothing_and_its_changeset_is_applied_without_the_warehouse(
    loader: Run, retail: Project, sandbox: Sandbox, execute: Run, items: Items, tmp_path: Path
) -> None:
    chosen = project(tmp_path, {"kept_items": export("kept_items")}, STAGING)
    planned = loader("plan", *chosen.arguments, *chosen.storage, "--create-table", "--json")
    folder = json.loads(planned.out)["folder"]
    before = len(sandbox.statements())

    refused = loader("load", "--changeset", folder)
    applied = loader("load", "--changeset", folder, "--create-table", "--keep", "--json")
    again = loader("load", "--changeset", folder, "--json")

    asked = sandbox.statements()[before:]
    assert (planned.code, refused.code, applied.code, again.code) == (0, 2, 0, 0)
    assert refused.err == (
        "1 problem with the run, nothing was written\n"
        "  1  table kept_items must exist, got none: "
        "create it, or let the loader do so with --create-table\n"
    )
    assert asked == []
    assert written(items, "kept_items") == expected(execute)
    assert [json.loads(run.out)["put"] for run in (applied, again)] == [4_314, 4_314]
    assert not (Path(folder) / "changes").exists()  # the last run was complete, without --keep


def test_a_plain_postgresql_is_read_by_its_own_driver(
    loader: Run, retail: Project, sandbox: Sandbox, execute: Run, items: Items, tmp_path: Path
) -> None:
    profiles = json.dumps(
        {
            "redshift_to_dynamodb": {
                "target": "plain",
                "outputs": {
                    "plain": {
                        "type": "postgres",
                        "host": "127.0.0.1",
                        "port": sandbox.settings.postgres_port,
                        "dbname": "dev",
                        "user": sandbox.env()["REDSHIFT_USER"],
                        "password": sandbox.env()["REDSHIFT_PASSWORD"],
                        "schema": "analytics",
                    }
                },
            }
        }
    )
    chosen = project(tmp_path, {"plain_items": export("plain_items")}, STAGING, profiles)
    before = len(sandbox.statements())

    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table")

    assert run.code == 0
    assert sandbox.statements()[before:] == []  # not by the shim, so not by the Redshift driver
    assert written(items, "plain_items") == expected(execute)


def test_every_kind_of_attribute_arrives(
    loader: Run, execute: Run, items: Items, tmp_path: Path
) -> None:
    """Sort key, scalars, NULL left out, set, distinct, limit, descending order, odd names."""
    execute("drop table if exists analytics.many_kinds")
    execute(
        '''
        create table analytics.many_kinds as
        select 'k"' || (n % 2) as "the ""key""", n % 2 as part, (n / 4)::bigint as sort_key,
            n as n, n % 3 as few, 'é\\' || n as text_, n * 1.50::numeric(38, 2) as price,
            null::text as nothing, true as flag, date '2009-12-01' as day_,
            timestamp '2009-12-01 07:45:00.5' as moment
        from generate_series(0, 15) as n
        '''
    )
    settings = {
        "table": "many_kinds",
        "key": ['the "key"', "sort_key"],
        "partition_column": "part",
        "partitions": 2,
        "collect": {
            "all": {"column": "text_", "order_by": ["n desc"]},
            "few": {"column": "few", "as": "set", "order_by": ["n desc"]},
            "once": {"column": "few", "distinct": True, "order_by": ["n desc"]},
            "last": {"column": "price", "limit": 1, "order_by": ["n desc"]},
        },
        "attributes": ["nothing", "flag", "day_", "moment"],
    }
    chosen = project(tmp_path, {"many_kinds": settings}, "analytics.many_kinds")

    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table", "--queries", "1")

    assert run.code == 0
    assert sorted(items("many_kinds"), key=lambda i: (i["sort_key"], i['the "key"'])) == [
        {
            'the "key"': f'k"{odd}',
            "sort_key": four,
            "all": [f"é\\{n}" for n in (4 * four + 2 + odd, 4 * four + odd)],
            "few": {n % 3 for n in (4 * four + 2 + odd, 4 * four + odd)},
            "once": [n % 3 for n in (4 * four + 2 + odd, 4 * four + odd)],
            "last": [pa.scalar(4 * four + 2 + odd).as_py() * 15 / 10],
            "flag": True,
            "day_": "2009-12-01",
            "moment": "2009-12-01T07:45:00.5",
        }
        for four in range(4)
        for odd in range(2)
    ]


def test_rows_with_a_null_key_and_items_too_large_are_rejected_with_their_reason(
    loader: Run, execute: Run, items: Items, tmp_path: Path
) -> None:
    execute("drop table if exists analytics.some_bad")
    execute(
        """
        create table analytics.some_bad as
        select null::text as k, null::int as part, 'x' as v, n from generate_series(1, 3) as n
        union all select 'good', 1, 'x', 1
        union all select 'big', 0, repeat('y', 4096), n from generate_series(1, 101) as n
        union all select '', 1, 'x', 1
        """
    )
    settings = export(
        "some_bad", key="k", partition_column="part", partitions=2,
        collect={"v": {"column": "v", "order_by": ["n"]}},
    )  # fmt: skip
    chosen = project(tmp_path, {"some_bad": settings}, "analytics.some_bad")

    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table")

    report, folder = run.out.splitlines(), sorted((tmp_path / "runs/some_bad/runs").iterdir())[0]
    assert run.code == 1
    assert report[1:3] + report[6:] == [
        "  rows       106 read = 103 grouped + 3 rejected",
        "  items      3 = 1 put + 2 rejected + 0 not sent",
        "  rejected   3 rows without a key, 2 items",
        "             item k big: item must be at most 409600 bytes, got 413805",
        "             3 rows: key column k must not be NULL, got NULL",
        "             item k : key column k must not be empty, got ''",
        f"  list       {folder}/rejects.jsonl",
        f"  report     {folder}/report.html",
        "Fix the rows or the export, then:  loader load --export some_bad "
        f"--project-dir {tmp_path} --storage {tmp_path}/runs",
    ]
    assert report_problems(json.loads((folder / "report.json").read_text())) == []
    assert items("some_bad") == [{"k": "good", "v": ["x"]}]


def test_the_files_of_a_run_may_live_in_s3(
    loader: Run, retail: Project, sandbox: Sandbox, execute: Run, items: Items, tmp_path: Path
) -> None:
    env = sandbox.env()
    s3 = boto3.client(
        "s3",
        endpoint_url=env["AWS_ENDPOINT_URL_S3"],
        region_name=env["AWS_DEFAULT_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
    )
    s3.create_bucket(Bucket="loader-runs")
    chosen = project(tmp_path, {"s3_items": export("s3_items")}, STAGING)
    storage = ["--storage", "s3://loader-runs/runs"]

    kept = loader("load", *chosen.arguments, *storage, "--create-table", "--keep", "--json")
    folder = json.loads(kept.out)["folder"]
    after_keeping = [o["Key"] for o in s3.list_objects_v2(Bucket="loader-runs")["Contents"]]
    again = loader("load", "--changeset", folder)
    after_all = [o["Key"] for o in s3.list_objects_v2(Bucket="loader-runs")["Contents"]]

    prefix = folder.removeprefix("s3://loader-runs/")
    parts = [key for key in after_keeping if key.startswith(f"{prefix}/changes/")]
    assert (kept.code, again.code) == (0, 0)
    assert len([part for part in parts if part.endswith(".arrow")]) == 30
    assert [key for key in after_all if not key.endswith("/")] == [
        f"{prefix}/plan.json",
        f"{prefix}/rejects.jsonl",
        f"{prefix}/report.html",
        f"{prefix}/report.json",
    ]
    assert written(items, "s3_items") == expected(execute)


def test_keys_whose_hashes_collide_are_read_again_sorted_by_the_keys(
    loader: Run,
    retail: Project,
    execute: Run,
    items: Items,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All keys of a partition have one hash here."""
    monkeypatch.setattr(rows, "_sort_key", lambda export: F.col("partition_id").cast("long"))
    unordered = export("collided", collect={"items": {"column": "item_id"}})
    made = project(tmp_path / "project", {"collided": unordered}, STAGING)

    run = loader("load", *made.arguments, *made.storage, "--create-table")

    assert run.code == 0, run.err
    found = {user: sorted(codes) for user, codes in written(items, "collided").items()}
    assert found == {user: sorted(codes) for user, codes in expected(execute).items()}


def test_keys_that_only_the_warehouse_takes_for_equal_are_items_of_their_own(
    loader: Run, execute: Run, items: Items, tmp_path: Path
) -> None:
    """As under a case-insensitive collation, or with trailing blanks, on Redshift."""
    if not execute("select 1 from pg_collation where collprovider = 'i' limit 1"):
        pytest.skip("this PostgreSQL was built without ICU")
    execute("drop table if exists analytics.two_cases")
    execute(
        "create collation if not exists analytics.any_case "
        "(provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
    )
    execute(
        "create table analytics.two_cases as select "
        "cast(case n % 2 when 0 then 'user' else 'USER' end as varchar) collate analytics.any_case "
        "as user_id, n % 2 as partition_id, "
        "'i' || n as item_id, n as line_number, now()::timestamp as purchased_at "
        "from generate_series(1, 4) as n"
    )
    made = project(tmp_path, {"cases": export("cases")}, "analytics.two_cases")

    run = loader("load", *made.arguments, *made.storage, "--create-table")

    assert run.code == 0, run.err
    assert written(items, "cases") == {"user": ["i2", "i4"], "USER": ["i1", "i3"]}
