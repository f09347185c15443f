"""Loads without faults: the items must equal the result of an independent query."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sandbox import Sandbox
from sandbox.seed import DATA
from sandbox.statements import most_at_once
from tests.support.projects import Project, export, project
from tests.support.purchases import STAGING, items_of_users, purchases_of_users
from tests.support.report_schema import report_problems
from tests.support.sandboxes import held

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
Items = Callable[[str], list[dict[str, Any]]]
LOCK = 161718


@pytest.fixture(scope="module")
def purchases(sandbox: Sandbox) -> dict[str, list[str]]:
    """The items that the retail data makes, by user."""

    def execute(sql: str) -> list[tuple[Any, ...]]:
        with closing(sandbox.connect()) as session, session.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    return purchases_of_users(execute)


def test_every_item_has_exactly_the_purchases_of_its_user(
    loader: Run, retail: Project, purchases: dict[str, list[str]], items: Items
) -> None:
    run = loader("load", *retail.arguments, *retail.storage, "--create-table", "--json")

    assert (run.code, run.err.splitlines()[-1].split(" · ")[0]) == (
        0,
        "apply  4,314/4,314 changes",
    )
    report = json.loads(run.out)
    counts = ("rows_read", "rows_grouped", "items", "put", "rejected", "not_sent", "write_units")
    assert [report[name] for name in counts] == [407_695, 407_695, 4_314, 4_314, 0, 0, 5_483]
    assert report_problems(report) == []
    points, partitions = report["over_time"]["points"], report["partitions"]
    assert sum(point["items"] for point in points) == report["put"]
    assert sum(point["write_units"] for point in points) == report["write_units"]
    totals = [sum(p[name] for p in partitions) for name in ("rows", "items", "write_units")]
    assert totals == [407_695, 4_314, 5_483]
    folder = Path(report["folder"])
    assert json.loads((folder / "report.json").read_text()) == report
    assert oct(stat.S_IMODE((folder / "report.html").stat().st_mode)) == "0o600"
    assert "user_items is complete" in (folder / "report.html").read_text()
    assert items_of_users(items, "user_items") == purchases


def test_the_items_of_another_file_have_its_purchases(
    loader: Run, retail: Project, execute: Run, items: Items, sandbox: Sandbox, tmp_path: Path
) -> None:
    """With other users, so that items of the first file cannot be mistaken for new ones."""
    table = pq.read_table(DATA).slice(1_000, 40_000)
    customer = pc.add(table.column("customer_id"), 1_000_000)
    index = table.column_names.index("customer_id")
    other = table.set_column(index, table.field("customer_id"), customer)
    pq.write_table(other, tmp_path / "other.parquet")
    sandbox.seed(tmp_path / "other.parquet")
    try:
        settings = export("other_items")
        chosen = project(tmp_path / "project", {"other_items": settings}, STAGING)
        run = loader("load", *chosen.arguments, *chosen.storage, "--create-table")
        purchases = purchases_of_users(execute)
    finally:
        sandbox.seed()

    assert run.code == 0
    assert len(purchases) > 100
    assert items_of_users(items, "other_items") == purchases


@pytest.mark.parametrize("queries", [3, 8])
def test_a_plan_runs_as_many_range_queries_at_the_same_time_as_the_setting(
    loader: Run, retail: Project, sandbox: Sandbox, execute: Run, tmp_path: Path, queries: int
) -> None:
    """Each query waits for a lock until all of them do, and the count."""
    execute("drop view if exists analytics.slow_items")
    execute(
        f"create view analytics.slow_items as select * from {STAGING} "
        f"cross join (select pg_advisory_xact_lock_shared({LOCK})::text) as held"
    )
    chosen = project(tmp_path, {"slow_items": export("slow_items")}, "analytics.slow_items")
    before = len(sandbox.statements())

    options = ["--create-table", "--queries", str(queries), "--json"]
    with held(sandbox, LOCK, queries + 1, seconds=120):
        run = loader("plan", *chosen.arguments, *chosen.storage, *options)

    assert run.code == 0
    reads = [s for s in sandbox.statements()[before:] if "loader run=" in s.text]
    label = f"/* loader run={json.loads(run.out)['run']} export=slow_items partitions=30"
    ranged = [s for s in reads if "WHERE" in s.text and "1=0" not in s.text]
    assert all(label in s.text and '"partition_id" ' in s.text for s in ranged)
    assert (len(ranged), most_at_once(ranged)) == (queries, queries)
    assert all("Executor task launch worker" in s.application_name for s in ranged)


def test_dbt_redshift_creates_the_view(retail: Project, sandbox: Sandbox) -> None:
    created = [s for s in sandbox.statements() if "create view" in s.text.lower()]

    assert any('"app": "dbt"' in s.text and "stg_retail__transactions" in s.text for s in created)


def test_a_changeset_is_applied_without_the_warehouse_and_consumes_what_its_plan_estimated(
    loader: Run,
    retail: Project,
    sandbox: Sandbox,
    purchases: dict[str, list[str]],
    items: Items,
    tmp_path: Path,
) -> None:
    chosen = project(tmp_path, {"kept_items": export("kept_items")}, STAGING)
    planned = loader("plan", *chosen.arguments, *chosen.storage, "--create-table", "--json")
    facts = json.loads(planned.out)
    folder, estimate = facts["folder"], facts["estimate"]
    before = len(sandbox.statements())

    applied = loader("apply", folder, "--json")

    statements = sandbox.statements()[before:]
    assert (planned.code, applied.code) == (0, 0)
    assert statements == []
    assert items_of_users(items, "kept_items") == purchases
    report = json.loads(applied.out)
    assert report["put"] == 4_314
    assert estimate["write_units"] == pytest.approx(report["write_units"], rel=0.05)
    assert (estimate["write_units"], estimate["rate"], estimate["price_region"]) == (
        5_483,
        4_000,
        "us-east-1",
    )
    assert estimate["dollars"] == pytest.approx(5_483 / 1e6 * 0.625)
    assert not (Path(folder) / "changes").exists()  # the run was complete, without --keep


def test_postgresql_is_read_with_the_postgresql_driver(
    loader: Run,
    retail: Project,
    sandbox: Sandbox,
    purchases: dict[str, list[str]],
    items: Items,
    tmp_path: Path,
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
    assert sandbox.statements()[before:] == []  # the Redshift driver uses the shim
    assert items_of_users(items, "plain_items") == purchases


def test_the_files_of_a_run_can_be_in_s3(
    loader: Run,
    retail: Project,
    s3: Any,
    purchases: dict[str, list[str]],
    items: Items,
    tmp_path: Path,
) -> None:
    s3.create_bucket(Bucket="loader-runs")
    chosen = project(tmp_path, {"s3_items": export("s3_items")}, STAGING)
    storage = ["--storage", "s3://loader-runs/runs"]

    kept = loader("load", *chosen.arguments, *storage, "--create-table", "--keep", "--json")
    after_keeping = [o["Key"] for o in s3.list_objects_v2(Bucket="loader-runs")["Contents"]]
    again = loader("load", *chosen.arguments, *storage, "--json")
    after_all = [o["Key"] for o in s3.list_objects_v2(Bucket="loader-runs")["Contents"]]

    prefix, second = (
        json.loads(run.out)["folder"].removeprefix("s3://loader-runs/") for run in (kept, again)
    )
    change_files = [key for key in after_keeping if key.startswith(f"{prefix}/changes/")]
    assert (kept.code, again.code) == (0, 0)
    counts = ("put", "unchanged", "requests", "serial")
    assert [json.loads(again.out)[name] for name in counts] == [0, 4_314, 0, 2]
    assert len([key for key in change_files if key.endswith(".arrow")]) == 30
    of_second = [key.removeprefix(f"{second}/") for key in after_all if second in key]
    assert [key for key in of_second if not key.endswith(("/", ".arrow"))] == [
        *("committed.json", "plan.json", "rejects.jsonl", "report.html", "report.json"),
    ]
    assert len([key for key in of_second if key.startswith("state/0")]) == 30
    assert items_of_users(items, "s3_items") == purchases
