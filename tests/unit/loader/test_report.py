import json
from dataclasses import replace
from pathlib import Path

import pytest
from example_report import COMPLETE, RUN

from loader.apply.task import NotSent, SliceOutcome
from loader.plan.result import PartitionPlan, Plan, Reject
from loader.report import Report, account, plain_key, plan_lines, report_lines
from loader.storage.changeset import Part
from loader.storage.location import Location


def planned(*accounts: PartitionPlan, seconds: float = 2.0) -> Plan:
    key = [("user_id", "S")]
    return Plan(RUN, "user_items", "stg_orders", "items", key, 8, 4, seconds, list(accounts))


def partition(number: int, changes: int, rejected: int = 0) -> PartitionPlan:
    return PartitionPlan(
        partition=number,
        rows=3 * (changes + rejected),
        items=changes + rejected,
        rejected_items=rejected,
        rejects=[Reject(f"bad {n}", 3, f'"user_id":{{"S":"{n}"}}') for n in range(rejected)],
        largest_size=2_560 * (number + 1),
        largest_key=f'"user_id":{{"S":"big {number}"}}',
        part=Part(number, f"{number:05d}-0.arrow", changes, 900 * changes, changes, [(changes, 1)]),
    )


KEYLESS = PartitionPlan(0, rows=2, keyless_rows=2, rejects=[Reject("key is NULL", 2)])


def test_an_account_adds_up_the_plan_and_what_came_of_it() -> None:
    plan = planned(partition(0, 10, rejected=1), partition(1, 20), KEYLESS)
    outcomes = [
        SliceOutcome(0, 12, 3, 1, 1, 12.5, 1, [('"user_id":{"S":"x"}', "refused")]),
        SliceOutcome(1, 10, 2, 2, 0, 10.0, 0, [], [NotSent(1, 3, "busy"), NotSent(0, 1, "busy")]),
        SliceOutcome(2, 0, 0, 0, 0, 0.0, 0, [], [NotSent(1, 2, "busy"), NotSent(1, 1, "denied")]),
    ]

    assert account(plan, outcomes, ".loader/run", 4.0) == Report(
        run=RUN,
        export="user_items",
        table="items",
        folder=".loader/run",
        rows_read=95,
        rows_grouped=93,
        rows_rejected=2,
        items=31,
        put=22,
        rejected=2,
        not_sent=7,
        requests=5,
        retries=3,
        throttled=1,
        write_units=22.5,
        plan_seconds=2.0,
        apply_seconds=4.0,
        rejects=[
            Reject("bad 0", 3, '"user_id":{"S":"0"}'),
            Reject("key is NULL", 2),
            Reject("refused", 0, '"user_id":{"S":"x"}'),
        ],
        partitions_not_sent=[NotSent(0, 1, "busy"), NotSent(1, 5, "busy"), NotSent(1, 1, "denied")],
        mismatch=[],
    )


def test_a_run_that_put_everything_is_complete() -> None:
    report = account(planned(partition(0, 5)), [SliceOutcome(0, 5)], "f", 1.0)

    assert (report.complete, report.mismatch, report.seconds) == (True, [], 3.0)


def test_a_sum_that_is_wrong_is_named_and_the_run_is_incomplete() -> None:
    lost = account(planned(partition(0, 1_500)), [SliceOutcome(0, 1_499)], "f", 1.0)

    assert (lost.complete, lost.mismatch) == (
        False,
        ["items read must be put, rejected or not sent, got 1,500 and 1,499"],
    )


def test_a_changeset_that_has_not_all_items_is_named() -> None:
    plan = planned(replace(partition(0, 5, rejected=1), items=7))

    report = account(plan, [SliceOutcome(0, 6)], "f", 1.0)

    assert report.mismatch == [
        "changes planned must be items less those rejected in the plan, got 5 and 6"
    ]


@pytest.mark.parametrize(
    "report",
    [
        replace(COMPLETE, rows_rejected=1),
        replace(COMPLETE, rejected=1),
        replace(COMPLETE, not_sent=1),
    ],
)
def test_whatever_was_not_put_makes_a_run_incomplete(report: Report) -> None:
    assert (COMPLETE.complete, report.complete) == (True, False)


@pytest.mark.parametrize(("allowed", "complete"), [(6, False), (7, True), (8, True)])
def test_a_run_with_as_many_rejects_as_are_allowed_is_complete(
    allowed: int, complete: bool
) -> None:
    report = replace(COMPLETE, rows_rejected=4, rejected=3, max_rejects=allowed)

    assert report.complete is complete
    assert replace(report, not_sent=1).complete is False


def test_a_complete_run_says_how_many_were_rejected_of_how_many_allowed_and_where() -> None:
    rejects = [Reject("bad", 1, '"user_id":{"S":"1"}')]
    report = replace(COMPLETE, put=3_999, rejected=1, rejects=rejects, max_rejects=1_000)

    lines = report_lines(report)

    assert lines[0] == f"user_items   complete in 6.0 s   run {RUN}"
    assert lines[5:] == [
        "  rejected   0 rows without a key, 1 items; 1,000 are allowed",
        "             item user_id 1: bad",
        "  list       .loader/run/rejects.jsonl",
        "  report     .loader/run/report.json",
    ]


def test_a_saved_report_says_whether_it_is_complete(tmp_path: Path) -> None:
    report = replace(COMPLETE, not_sent=1, partitions_not_sent=[NotSent(3, 1, "busy")])
    report.save(Location(str(tmp_path)))

    saved = json.loads((tmp_path / "report.json").read_text())
    assert saved == report.to_dict() | {
        "partitions_not_sent": [{"partition": 3, "changes": 1, "cause": "busy"}],
        "rejects": [],
        "complete": False,
    }


def test_a_complete_run_is_told_in_six_lines() -> None:
    assert report_lines(COMPLETE) == [
        f"user_items   complete in 6.0 s   run {RUN}",
        "  rows       12,000 read = 12,000 grouped + 0 rejected",
        "  items      4,000 = 4,000 put + 0 rejected + 0 not sent",
        "  written    4,321 write units in 160 requests, 2 retries",
        "  time       plan 2.0 s, apply 4.0 s: 2,000 rows/s, 1,000 items/s written",
        "  report     .loader/run/report.json",
    ]


def test_rejects_are_shown_with_their_keys_and_reasons() -> None:
    rejects = [
        Reject("key is NULL", 1_200),
        *(Reject(f"bad {n}", 1, f'"user_id":{{"S":"{n}"}},"day":{{"N":"7"}}') for n in range(6)),
    ]
    report = replace(COMPLETE, rows_rejected=1_200, put=3_994, rejected=6, rejects=rejects)

    lines = report_lines(report)

    assert lines[0] == (
        f"user_items   INCOMPLETE after 6.0 s: 6 of 4,000 items were not put "
        f"and 1,200 rows have no key   run {RUN}"
    )
    assert lines[5:] == [
        "  rejected   1,200 rows without a key, 6 items",
        "             1,200 rows: key is NULL",
        "             item user_id 0, day 7: bad 0",
        "             item user_id 1, day 7: bad 1",
        "             item user_id 2, day 7: bad 2",
        "             item user_id 3, day 7: bad 3",
        "             and 2 more",
        "  list       .loader/run/rejects.jsonl",
        "  report     .loader/run/report.json",
    ]


def test_what_was_not_sent_is_shown_by_partition_with_the_command_to_go_on() -> None:
    entries = [NotSent(n, 1_000 + n, "busy") for n in range(7)]
    report = replace(COMPLETE, put=0, not_sent=4_000, partitions_not_sent=entries)

    lines = report_lines(report)

    assert lines[0] == (
        f"user_items   INCOMPLETE after 6.0 s: 4,000 of 4,000 items were not put   run {RUN}"
    )
    assert lines[5:] == [
        "  not sent   1,000 of partition 0: busy",
        "  not sent   1,001 of partition 1: busy",
        "  not sent   1,002 of partition 2: busy",
        "  not sent   1,003 of partition 3: busy",
        "  not sent   1,004 of partition 4: busy",
        "             and of 2 more partitions: see .loader/run/report.json",
        "  list       .loader/run/rejects.jsonl",
        "  report     .loader/run/report.json",
        "Go on with:  loader load --changeset .loader/run",
    ]


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (replace(COMPLETE, rows_rejected=7), "7 rows have no key"),
        (replace(COMPLETE, rejected=7), "7 of 4,000 items were not put"),
        (replace(COMPLETE, rejected=3, not_sent=4), "7 of 4,000 items were not put"),
        (replace(COMPLETE, mismatch=["4 and 3"]), "the account does not add up"),
    ],
)
def test_an_incomplete_run_says_in_its_first_line_what_is_missing(report: Report, why: str) -> None:
    assert report_lines(report)[0] == f"user_items   INCOMPLETE after 6.0 s: {why}   run {RUN}"


def test_a_mismatch_is_shown() -> None:
    report = replace(COMPLETE, mismatch=["items must be put, got 4 and 3"])

    assert report_lines(report)[5:] == [
        "  mismatch   items must be put, got 4 and 3",
        "  report     .loader/run/report.json",
    ]


def test_a_run_that_took_no_time_has_no_speed() -> None:
    report = replace(COMPLETE, plan_seconds=0.0, apply_seconds=0.0)

    assert report_lines(report)[4] == (
        "  time       plan 0.0 s, apply 0.0 s: 0 rows/s, 0 items/s written"
    )


def test_a_plan_is_told_with_the_command_that_applies_it() -> None:
    plan = planned(partition(0, 999), partition(1, 1_001, rejected=1), KEYLESS)

    assert plan_lines(plan, ".loader/run", "eu-west-1") == [
        "user_items   stg_orders → DynamoDB table items (eu-west-1)",
        "  read       6,005 rows in 8 partitions, 4 queries at a time, 2.0 s, 3,002 rows/s",
        "  items      2,001   largest user_id big 1: 5.0 KB",
        "  changes    + 2,000 to put, 2,000 write units",
        "  rejected   2 rows without a key, 1 items",
        "             item user_id 0: bad 0",
        "             2 rows: key is NULL",
        "  list       .loader/run/rejects.jsonl",
        "Nothing was written. Apply it:  loader load --changeset .loader/run",
    ]


def test_a_plan_of_nothing_is_told_too() -> None:
    assert plan_lines(planned(seconds=0.0), "f", "eu-west-1") == [
        "user_items   stg_orders → DynamoDB table items (eu-west-1)",
        "  read       0 rows in 8 partitions, 4 queries at a time, 0.0 s, 0 rows/s",
        "  items      0   largest none: 0.0 KB",
        "  changes    + 0 to put, 0 write units",
        "Nothing was written. Apply it:  loader load --changeset f",
    ]


@pytest.mark.parametrize(
    ("key", "plain"),
    [
        ('"user_id":{"S":"12347"}', "user_id 12347"),
        ('"user_id":{"S":"a\\"é"},"day":{"N":"7"}', 'user_id a"é, day 7'),
        (None, "none"),
    ],
)
def test_a_key_is_told_as_a_person_says_it(key: str | None, plain: str) -> None:
    assert plain_key(key) == plain
