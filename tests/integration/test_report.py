"""Terminal, page, report.json and its figures report the same facts of a run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loader.report.status import statuses
from loader.settings import Settings
from tests.support.projects import export, project

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
# Each query of the view sees one row more than the query before; every 20th has no user, and u7 has
# 15 rows that are too large for an item.
MOVING = """
    create schema if not exists analytics;
    drop view if exists analytics.moving_bad;
    drop sequence if exists analytics.moving_asked;
    create sequence analytics.moving_asked;
    create view analytics.moving_bad as
    select case when n % 20 <> 0 then 'u' || n end as user_id, n % 3 as partition_id,
        'i' as item_id, n as line_number, now()::timestamp as purchased_at
    from generate_series(1, 60 + (select nextval('analytics.moving_asked')::int)) as n
    union all
    select 'u7', 1, repeat('x', 30000), n, now()::timestamp from generate_series(1, 15) as n
"""


def test_a_complete_run_with_allowed_rejects_and_a_changed_source_is_reported_alike_everywhere(
    loader: Run, execute: Run, tmp_path: Path
) -> None:
    for statement in MOVING.split(";"):
        execute(statement)
    settings = export("moving_bad", partitions=3)
    chosen = project(tmp_path, {"moving_bad": settings}, "analytics.moving_bad")
    options = ["--create-table", "--max-rejects", "10"]

    run = loader("load", *chosen.arguments, *chosen.storage, *options)

    assert run.code == 0
    (folder,) = (chosen.folder / "runs" / "moving_bad" / "runs").iterdir()
    report = json.loads((folder / "report.json").read_text())
    count = {name: value for name, value in report.items() if isinstance(value, int)}
    grouped, items, put = count["rows_grouped"], count["items"], count["put"]
    before, after = count["warehouse_rows_before"], count["warehouse_rows_after"]
    keyless = count["rows_rejected"]
    # What happened: three users' rows and one item were rejected while the model changed.
    assert (report["complete"], report["source_changed"], report["missing"]) == (True, True, [])
    assert (keyless, count["rejected"], count["not_sent"], count["max_rejects"]) == (3, 1, 0, 10)
    assert (count["rows_read"], items, before < after) == (grouped + keyless, put + 1, True)
    # The terminal.
    lines = run.out.splitlines()
    assert re.sub(r"in [\d.]+ s", "in 1 s", lines[0]) == (
        f"moving_bad   complete in 1 s   run {folder.name}"
    )
    assert lines[1:4] == [
        f"  rows       {grouped + keyless} read = {grouped} grouped + {keyless} rejected",
        f"  items      {items} = {put} put + 0 unchanged + 1 rejected;  0 deleted",
        f"  warehouse  rows {before} before the read, {after} after; distinct keys "
        f"{count['warehouse_keys']}; the model changed during the read",
    ]
    assert lines[7] == f"  rejected   {keyless} rows without a key, 1 items; 10 are allowed"
    # The page.
    page = " ".join(re.sub(r"<[^>]*>", " ", (folder / "report.html").read_text()).split())
    assert "moving_bad is complete, with 4 of 10 allowed rejects" in page
    summary = (
        f"{grouped} rows became {items} items. DynamoDB acknowledged {put} puts and 0 deletes. "
        f"1 items and {keyless} rows without a key were rejected. All totals add up. The model "
        f"changed during the read: the warehouse counted {before} rows before it and {after} "
        "after it."
    )
    assert summary in page
    assert "Nothing was rejected" not in page
    assert "the same number of rows" not in page
    # The figures.
    for name, total in (("rows", grouped + keyless), ("items", items)):
        assert sum(entry[name] for entry in report["partitions"]) == total
    assert sum(entry["rows"] for entry in report["queries"]) == grouped + keyless
    assert sum(point["items"] for point in report["over_time"]["points"]) == put
    names = [equation["name"] for equation in report["equations"]]
    assert names == ["rows", "items", "planned", "changes", "keys"]
    # The status, from the files alone.
    (status,) = statuses(Settings(storage=str(chosen.folder / "runs")))
    assert (status.export, status.is_good, status.lock) == ("moving_bad", True, None)
    assert status.state
    assert (status.state.serial, status.state.run, status.state.keys) == (1, folder.name, put)
    assert [run.outcome for run in status.runs] == ["complete"]
