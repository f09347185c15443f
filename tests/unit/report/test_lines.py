import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from loader.plan.partition_result import Reject
from loader.report.files import PAGE_FILE, REPORT_FILE, save
from loader.report.lines import reject_lines, report_lines
from loader.report.page import page
from loader.report.totals import Report
from loader.storage.location import Location
from loader.storage.slice_outcome import NotSent
from tests.support.example_report import COMPLETE, RUN


def test_a_report_is_saved_as_json_and_as_a_page_for_its_owner_only(
    tmp_path: Path,
) -> None:
    report = replace(COMPLETE, not_sent=1, partitions_not_sent=[NotSent(3, 1, "busy \ud800")])
    save(report, Location(str(tmp_path)))

    files = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.iterdir()}
    saved = json.loads((tmp_path / REPORT_FILE).read_text())
    shown = (tmp_path / PAGE_FILE).read_text()
    assert files == {"report.json": "0o600", "report.html": "0o600"}
    assert saved == report.to_dict()
    assert shown == page(saved).replace("\ud800", "\\ud800")


def test_a_complete_run_is_reported_in_six_lines() -> None:
    assert report_lines(COMPLETE) == [
        f"user_items   complete in 10.0 s   run {RUN}",
        "  rows       12,000 read = 12,000 grouped + 0 rejected",
        "  items      4,000 = 4,000 put + 0 unchanged + 0 rejected;  0 deleted",
        "  written    4,321 write units in 160 requests, 2 retries",
        "  time       start 3.0 s, check 1.0 s, plan 2.0 s, apply 4.0 s: "
        "1,200 rows/s, 1,000 changes/s",
        "  report     .loader/run/report.html",
    ]


NIGHT = replace(
    COMPLETE, unchanged=3_917, new=31, changed=52, deletes=3, changes=86, put=83, deleted=3,
    keys_before=3_972, keys_after=4_000,
)  # fmt: skip


def test_unchanged_and_deleted_items_are_in_the_sums() -> None:
    not_sent = replace(NIGHT, put=80, deleted=1, rejected_by_table=1, not_sent=4, max_rejects=1)

    assert (NIGHT.mismatch, not_sent.mismatch) == ([], [])
    assert report_lines(NIGHT)[2] == (
        "  items      4,000 = 83 put + 3,917 unchanged + 0 rejected;  3 deleted"
    )
    assert report_lines(not_sent)[2:4] == [
        "  items      4,000 = 83 to put + 3,917 unchanged + 0 rejected;  3 to delete",
        "  changes    86 = 80 put + 1 deleted + 1 rejected + 4 not sent",
    ]


def test_what_the_table_keeps_is_shown_with_its_reason() -> None:
    held_back = "7 deletes are held back, because 1 rows have no key and may be theirs"
    lines = report_lines(replace(NIGHT, kept=2, held_back=7, notes=[held_back, "a\nb"]))

    assert lines[1:3] == [f"  note       {held_back}", r"  note       a\nb"]
    assert lines[7] == "  kept       2 old items, because the new ones were rejected"


def test_the_counts_of_the_warehouse_are_shown_if_it_counted() -> None:
    report = replace(COMPLETE, warehouse_rows_before=12_000, warehouse_keys=4_000)

    assert report_lines(report)[3] == (
        "  warehouse  rows 12,000 before the read, not counted after; distinct keys 4,000"
    )


def test_a_complete_run_with_allowed_rejects_shows_them_and_their_limit() -> None:
    rejects = [Reject("bad", 1, '"user_id":{"S":"1"}')]
    report = replace(COMPLETE, put=3_999, rejected_by_table=1, rejects=rejects, max_rejects=1_000)

    lines = report_lines(report)

    assert lines[0] == f"user_items   complete in 10.0 s   run {RUN}"
    assert lines[2:4] == [
        "  items      4,000 = 4,000 to put + 0 unchanged + 0 rejected;  0 to delete",
        "  changes    4,000 = 3,999 put + 0 deleted + 1 rejected + 0 not sent",
    ]
    assert lines[6:] == [
        "  rejected   0 rows without a key, 1 items; 1,000 are allowed",
        "             item user_id 1: bad",
        "  list       .loader/run/rejects.jsonl",
        "  report     .loader/run/report.html",
    ]


def test_rejects_are_shown_with_their_keys_and_reasons() -> None:
    rejects = [
        Reject("key is NULL", 1_200),
        *(Reject(f"bad {n}", 1, f'"user_id":{{"S":"{n}"}},"day":{{"N":"7"}}') for n in range(6)),
    ]
    report = replace(
        COMPLETE, rows_read=13_200, rows_rejected=1_200, new=3_994, changes=3_994,
        put=3_994, keys_after=3_994, rejected_by_plan=6, rejects=rejects,
    )  # fmt: skip

    lines = report_lines(report)

    assert lines[0] == (
        f"user_items   INCOMPLETE after 10.0 s: 6 of 4,000 items were rejected "
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
        "  report     .loader/run/report.html",
        "Fix the rows or the export, then:  loader load --export user_items --target prod",
    ]


def test_unsent_changes_are_shown_by_cause_with_the_command_that_continues() -> None:
    entries = [NotSent(n, 1_000 - n, f"cause {n}\x1b[2J") for n in range(7)]
    entries.append(NotSent(9, 21, "cause 0\x1b[2J"))
    sent = 4_000 - sum(entry.changes for entry in entries)
    report = replace(COMPLETE, put=sent, not_sent=4_000 - sent, partitions_not_sent=entries)

    lines = report_lines(report)

    assert lines[6:] == [
        "  not sent   1,021 of 2 partitions: cause 0\\x1b[2J",
        "  not sent   999 of partition 1: cause 1\\x1b[2J",
        "  not sent   998 of partition 2: cause 2\\x1b[2J",
        "  not sent   997 of partition 3: cause 3\\x1b[2J",
        "  not sent   996 of partition 4: cause 4\\x1b[2J",
        "             and for 2 more causes",
        "  list       .loader/run/rejects.jsonl",
        "  report     .loader/run/report.html",
        "Continue with:  loader resume user_items",
    ]


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (replace(COMPLETE, rows_read=12_007, rows_rejected=7), "7 rows have no key"),
        (
            replace(COMPLETE, put=3_993, rejected_by_table=3, not_sent=4, rows_read=12_007,
                    rows_rejected=7),
            "4 of 4,000 changes were not acknowledged and 3 of 4,000 items were rejected "
            "and 7 rows have no key",
        ),
        (replace(COMPLETE, put=3_999), "the totals do not add up"),
    ],
)  # fmt: skip
def test_the_first_line_of_an_incomplete_run_names_its_gaps(report: Report, why: str) -> None:
    assert report_lines(report)[0] == f"user_items   INCOMPLETE after 10.0 s: {why}   run {RUN}"


def test_an_equation_that_does_not_hold_is_shown_with_the_command_that_loads_again() -> None:
    report = replace(COMPLETE, put=3_999)

    assert report_lines(report)[6:] == [
        "  mismatch   changes must be put + deleted + rejected by DynamoDB + not sent, "
        "got 4,000 and 3,999 + 0 + 0 + 0",
        "  list       .loader/run/report.json",
        "  report     .loader/run/report.html",
        "Load again with:  loader load --export user_items --target prod",
    ]


def test_a_run_that_took_no_time_has_no_speed() -> None:
    context = replace(COMPLETE.context, start_seconds=0.0, check_seconds=0.0, apply_seconds=0.0)
    report = replace(COMPLETE, plan_seconds=0.0, context=context)

    assert report_lines(report)[4] == (
        "  time       start 0.0 s, check 0.0 s, plan 0.0 s, apply 0.0 s: 0 rows/s, 0 changes/s"
    )


def test_the_speed_of_a_resumed_run_is_that_of_its_own_apply() -> None:
    """The changes are those of all applies, the seconds those of the last one."""
    report = replace(COMPLETE, context=replace(COMPLETE.context, changes_before=3_960))

    assert report_lines(report)[4].endswith("apply 4.0 s: 1,200 rows/s, 10 changes/s")


def test_the_number_of_further_rejects_counts_from_those_that_are_shown() -> None:
    example = [Reject("bad", 1, '"user_id":{"S":"1"}')]

    assert reject_lines(0, 40, example)[-1] == "             and 39 more"
