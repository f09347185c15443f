"""The screens and fields on the pages of plan and report are those of the loader."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timezone

from loader.dbt.gate import Gate
from loader.dynamodb.description import TableDescription
from loader.dynamodb.estimate import PlannedPuts, estimate
from loader.dynamodb.prices import read_price
from loader.plan.result import Plan
from loader.report.lines import report_lines
from loader.report.plan_lines import plan_facts, plan_lines
from tests.support.example_plan import partition, planned
from tests.support.example_report import COMPLETE
from tests.support.repository import REPOSITORY

README, REPORT_PAGE, PLAN_PAGE = (
    (REPOSITORY / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/read-a-report.md", "docs/read-a-plan.md")
)


def shape(lines: list[str]) -> list[str]:
    """The lines without their numbers, keys and names of runs."""
    return [re.sub(r"user_id [^:(]+|\d{4}-\d\d-\d\dT[\d-]+Z|\d[\d,.]*", "0", s) for s in lines]


def test_the_reports_on_their_pages_are_what_the_loader_prints() -> None:
    folder = f".loader/user_items/runs/{COMPLETE.run}"
    counts = {"warehouse_rows_before": 12_000, "warehouse_rows_after": 12_000}
    complete = replace(COMPLETE, folder=folder, warehouse_keys=4_000, **counts)
    printed = report_lines(complete)

    for page in (README, REPORT_PAGE):
        [screen] = re.findall(r"^user_items   complete.*?report\.html$", page, re.S | re.M)
        assert shape(screen.splitlines()) == shape(printed)


def shown_plan() -> Plan:
    plan = planned(partition(0, 2), partition(1, 2), partition(2, 3))
    table = TableDescription("user_items", (("user_id", "S"),), "ACTIVE", on_demand=True)
    written = PlannedPuts(7, 7, {"user_id": "S", "items": "L"}, frozenset({"items"}))
    facts = {"model": "stg_retail__transactions", "table": "user_items", "region": "us-east-1"}
    counts = {"warehouse_rows_before": 21, "warehouse_rows_after": 21, "warehouse_keys": 7}
    vars(plan).update(facts | counts)
    plan.dbt_gate = Gate(17, 17, 0, "2026-11-24T12:00:00Z")
    plan.described, plan.estimate = table, estimate(written, table, read_price("us-east-1"))
    return plan


def test_the_plan_on_its_page_is_what_the_loader_prints() -> None:
    now = datetime(2026, 11, 24, 12, 3, tzinfo=timezone.utc)
    printed = plan_lines(shown_plan(), f".loader/user_items/runs/{COMPLETE.run}", now)

    [screen] = re.findall(r"^> loader plan.*?\n(.*?)\n```", PLAN_PAGE, re.S | re.M)

    assert shape(screen.splitlines()) == shape(printed)


def test_every_field_of_a_plan_in_json_is_on_its_page() -> None:
    table = PLAN_PAGE.split("| Plan field |")[1]

    first_cells = " ".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE))

    assert re.findall(r"`(\w+)`", first_cells) == list(plan_facts(shown_plan(), "f"))
