"""The screens and fields on the pages of plan and report are those of the loader."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from loader.dbt.gate import Gate
from loader.dynamodb.description import TableDescription
from loader.dynamodb.estimate import PlannedPuts, estimate
from loader.dynamodb.prices import read_price
from loader.plan.partition_result import PartitionResult
from loader.plan.result import Plan
from loader.report.lines import report_lines
from loader.report.past_runs import COMPLETE as COMPLETE_RUN
from loader.report.past_runs import UNENDED, PastRun
from loader.report.plan_lines import plan_facts, plan_lines
from loader.report.status import LockStatus, StateStatus, Status, UnfinishedStatus
from loader.report.status_lines import status_lines
from loader.report.totals import Report
from loader.storage.changeset import Part
from loader.storage.lock_file import Lock
from tests.support.example_plan import planned
from tests.support.example_report import COMPLETE
from tests.support.repository import REPOSITORY

README, REPORT_PAGE, PLAN_PAGE = (
    (REPOSITORY / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/read-a-report.md", "docs/read-a-plan.md")
)
[README_SCREEN] = re.findall(r"^user_items   complete.*?report\.html$", README, re.S | re.M)
# Of the shipped data.
ROWS, ITEMS, WRITE_UNITS, PARTITIONS = 407_695, 4_314, 5_483, 30
FULLEST, FULLEST_ROWS = 18, 19_623
LARGEST = (("14911", 33_903), ("17841", 31_340), ("14606", 23_760))
PRINTED = 0.05  # seconds are printed with one decimal


def number(pattern: str, screen: str) -> float:
    [digits] = re.findall(pattern, screen)
    return float(digits.replace(",", ""))


def shown_report(screen: str) -> Report:
    """The report of the shipped data; its run, requests and seconds are those of the screen."""
    [run] = re.findall(r"run (\S+)$", screen, re.MULTILINE)
    context = replace(
        COMPLETE.context,
        start_seconds=number(r"start ([\d.]+) s", screen),
        check_seconds=number(r"check ([\d.]+) s", screen),
        apply_seconds=ITEMS / number(r"([\d,]+) changes/s", screen),
        write_limit="writes without a limit: its capacity is unknown, of which 50% is allowed",
    )
    return replace(
        COMPLETE, run=run, folder=f".loader/user_items/runs/{run}", context=context,
        rows_read=ROWS, rows_grouped=ROWS, items=ITEMS, new=ITEMS, changes=ITEMS, put=ITEMS,
        keys_after=ITEMS,
        warehouse_rows_before=ROWS, warehouse_rows_after=ROWS, warehouse_keys=ITEMS,
        write_units=float(WRITE_UNITS), requests=int(number(r"([\d,]+) requests", screen)),
        retries=int(number(r"([\d,]+) retries", screen)),
        plan_seconds=number(r"plan ([\d.]+) s", screen),
    )  # fmt: skip


@pytest.mark.parametrize("page", [README, REPORT_PAGE], ids=["README.md", "read-a-report.md"])
def test_a_report_on_a_page_is_what_the_loader_prints(page: str) -> None:
    [screen] = re.findall(r"^user_items   complete.*?report\.html$", page, re.S | re.M)
    report = shown_report(screen)
    total = number(r"complete in ([\d.]+) s", screen)
    rows_per_second = number(r"([\d,]+) rows/s", screen)

    printed = "\n".join(report_lines(report))

    # The sum of rounded seconds differs from the printed sum, and so do the rows per second.
    summed = r"(?<=complete in )[\d.]+|[\d,]+(?= rows/s)"
    assert re.sub(summed, "", screen) == re.sub(summed, "", printed)
    assert report.complete
    assert total == pytest.approx(report.seconds, abs=4 * PRINTED)
    assert ROWS / (total + PRINTED) <= rows_per_second <= ROWS / (total - PRINTED)


def test_both_pages_show_the_same_report() -> None:
    [screen] = re.findall(r"```\n(user_items   complete.*?)```", REPORT_PAGE, re.DOTALL)

    assert screen in README


def shown_plan(seconds: float) -> Plan:
    """The plan of the shipped data."""
    part = Part(FULLEST, "", ITEMS, 0, WRITE_UNITS)
    others = [n for n in range(PARTITIONS) if n != FULLEST]
    each, rest = divmod(ROWS - FULLEST_ROWS, len(others))
    plan = planned(
        PartitionResult(FULLEST, FULLEST_ROWS, items=ITEMS, part=part, new=ITEMS, rows_read=ROWS),
        *(PartitionResult(n, each + (place < rest)) for place, n in enumerate(others)),
        *(
            PartitionResult(n, largest_size=size, largest_key=f'"user_id":{{"S":"{user}"}}')
            for n, (user, size) in enumerate(LARGEST)
        ),
        seconds=seconds,
    )
    table = TableDescription("user_items", (("user_id", "S"),), "ACTIVE", on_demand=True)
    types = {"user_id": "S", "items": "L"}
    puts = PlannedPuts(ITEMS, WRITE_UNITS, types, frozenset({"items"}))
    return replace(
        plan, model="stg_retail__transactions", table="user_items", region="us-east-1",
        partitions=PARTITIONS, queries=2, warehouse_rows_before=ROWS, warehouse_rows_after=ROWS,
        warehouse_keys=ITEMS, dbt_gate=Gate(17, 17, 0, "2026-11-24T12:00:00Z"), described=table,
        estimate=estimate(puts, table, read_price("us-east-1")),
    )  # fmt: skip


def test_the_plan_on_its_page_is_what_the_loader_prints() -> None:
    now = datetime(2026, 11, 24, 12, 3, tzinfo=timezone.utc)
    [screen] = re.findall(r"^> loader plan --export user_items\n(.*?)\n```", PLAN_PAGE, re.S | re.M)
    plan = shown_plan(ROWS / number(r"([\d,]+) rows/s", screen))

    printed = plan_lines(plan, screen.split()[-1], now)

    assert screen.splitlines() == printed


def test_the_status_on_its_page_is_what_the_loader_prints() -> None:
    [screen] = re.findall(r"^> loader status user_items\n(.*?)\n```", REPORT_PAGE, re.S | re.M)
    last, killed = shown_report(README_SCREEN).run, "2026-11-25T06-40-11-003Z-1c2d"
    folder = ".loader/user_items"
    report = replace(shown_report(README_SCREEN), run=last).to_dict()
    user = '"user_id":{{"S":"{}"}}'.format
    newest = PastRun(killed, UNENDED, note="in the apply: some of its changes may be written")
    status = Status(
        "user_items",
        folder,
        [newest, PastRun(last, COMPLETE_RUN, report, True)],
        newest,
        StateStatus(14, last, "2026-11-24T23:53:41Z", ITEMS, 191_776, False),
        LockStatus(
            Lock(
                "5d8ff1c0", killed, "etl-1", 4711, "ada", "loader load --export user_items",
                "2026-11-25T06:40:12+00:00", "2026-11-25T06:48:02+00:00", 235, 60.0,
            ),
            age=250.0,
        ),
        [
            UnfinishedStatus(
                killed, 41, 0, 3, 42, tuple(map(user, (12347, 12348, 12349, 12350, 12352))),
                f"{folder}/runs/{killed}/changes",
            )
        ],
        page=f"{folder}/index.html",
        next_step="Continue with",
        next_command="loader resume user_items",
    )  # fmt: skip

    printed = status_lines(status, datetime(2026, 11, 25, 6, 52, 13, tzinfo=timezone.utc))

    assert screen.splitlines() == printed


def test_every_field_of_a_plan_in_json_is_on_its_page() -> None:
    facts = plan_facts(shown_plan(1.0), "f")
    table = PLAN_PAGE.split("| Plan field |")[1]
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", table, re.MULTILINE)

    meanings = {name: meaning for names, meaning in rows for name in re.findall(r"`(\w+)`", names)}

    assert list(meanings) == list(facts)
    for name in ("fullest_partition", "dbt_gate", "estimate"):
        assert re.findall(r"`(\w+)`", meanings[name]) == list(facts[name])
    described = re.findall(r"`(\w+)`", meanings["described"])
    assert described == [name for name in facts["described"] if name != "name"]
