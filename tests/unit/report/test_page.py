import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.plan.partition_result import Reject
from loader.report.metrics import Limit, OverTime, Point
from loader.report.pace import FixedShare, Pace, Throttled
from loader.report.page import page, rates
from loader.report.reconciliation import reconcile
from loader.report.totals import Report
from loader.storage.slice_outcome import NotSent, SliceOutcome
from tests.support.example_plan import KEYLESS, partition, planned
from tests.support.example_report import COMPLETE, CONTEXT
from tests.support.html_reader import Reader

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>&amp;'"


def shown(report: Report) -> Reader:
    return Reader(page(json.loads(json.dumps(report.to_dict()))))


def incomplete() -> Report:
    """A run where something was rejected, throttled and not sent."""
    plan = planned(partition(0, 10, rejected=1), partition(5, 20), KEYLESS)
    outcomes = [
        SliceOutcome(
            0, 12, 3, 1, 1, 12.5, 1, [('"user_id":{"S":"x"}', "refused")],
            by_second={1_767_323_052: (12, 12.5, 1)},
        ),
        SliceOutcome(1, 10, 2, 2, 0, 10.0, 0, [], [NotSent(5, 7, "busy")]),
    ]  # fmt: skip
    return reconcile(plan, outcomes, ".loader/run", CONTEXT)


def test_the_page_of_a_complete_run_begins_with_its_result() -> None:
    text = shown(replace(COMPLETE, warehouse_rows_before=12_000, warehouse_rows_after=12_000)).text

    assert text.split(" Totals")[0] == (
        "user_items: complete 2026-01-02T03-04-05Z "
        "stg_orders → DynamoDB table items (eu-west-1, on demand) ✓ user_items is complete "
        "12,000 rows became 4,000 items. DynamoDB acknowledged 4,000 puts and 0 "
        "deletes. Nothing was rejected. All totals add up. "
        "The warehouse counted the same number of rows before and after the read. "
        "run 2026-01-02T03-04-05Z · apply began 2026-01-02 03:04:11 UTC · 10.0 s in total"
    )


ALLOWED = replace(
    COMPLETE, rows_read=12_004, rows_rejected=4, rejected_by_plan=1, rejected_by_table=2,
    new=3_999, changes=3_999, put=3_997, keys_after=3_999, max_rejects=10,
)  # fmt: skip
NIGHT = replace(
    COMPLETE, unchanged=3_917, new=31, changed=52, deletes=3, changes=86, put=83, deleted=3,
    keys_before=3_972, keys_after=4_000,
)  # fmt: skip
SAME_COUNT = " The warehouse counted the same number of rows before and after the read."


@pytest.mark.parametrize(
    ("report", "result", "text"),
    [
        (
            COMPLETE,
            "user_items is complete",
            "12,000 rows became 4,000 items. DynamoDB acknowledged 4,000 puts and 0 "
            "deletes. Nothing was rejected. All totals add up.",
        ),
        (
            ALLOWED,
            "user_items is complete, with 7 of 10 allowed rejects",
            "12,000 rows became 4,000 items. DynamoDB acknowledged 3,997 puts and 0 deletes. 3 "
            "items and 4 rows without a key were rejected. All totals add up.",
        ),
        (
            replace(ALLOWED, warehouse_rows_before=12_004, warehouse_rows_after=12_950),
            "user_items is complete, with 7 of 10 allowed rejects",
            "12,000 rows became 4,000 items. DynamoDB acknowledged 3,997 puts and 0 deletes. 3 "
            "items and 4 rows without a key were rejected. All totals add up. The model changed "
            "during the read: the warehouse counted 12,004 rows before it and 12,950 after it.",
        ),
        (
            replace(ALLOWED, warehouse_rows_before=12_004, warehouse_rows_after=12_004),
            "user_items is complete, with 7 of 10 allowed rejects",
            "12,000 rows became 4,000 items. DynamoDB acknowledged 3,997 puts and 0 deletes. 3 "
            "items and 4 rows without a key were rejected. All totals add up." + SAME_COUNT,
        ),
        (
            replace(COMPLETE, warehouse_rows_before=12_000),
            "user_items is complete",
            "12,000 rows became 4,000 items. DynamoDB acknowledged 4,000 puts and 0 "
            "deletes. Nothing was rejected. All totals add up.",
        ),
        (
            replace(
                COMPLETE, split_items=2_000, new=6_000, changes=6_000, put=6_000, keys_after=6_000
            ),
            "user_items is complete",
            "12,000 rows became 4,000 items and 2,000 split items. DynamoDB acknowledged "
            "6,000 puts and 0 deletes. Nothing was rejected. All totals add up.",
        ),
        (
            replace(COMPLETE, truncated_items=2, dropped_elements=1_250),
            "user_items is complete",
            "12,000 rows became 4,000 items. DynamoDB acknowledged 4,000 puts and 0 "
            "deletes. Nothing was rejected. 2 items were too large and lost 1,250 elements. All "
            "totals add up.",
        ),
        (
            replace(NIGHT, kept=2, held_back=7, rows_read=12_001, rows_rejected=1, max_rejects=1),
            "user_items is complete, with 1 of 1 allowed rejects",
            "12,000 rows became 4,000 items. DynamoDB acknowledged 83 puts (31 new, 52 changed) "
            "and 3 deletes; 3,917 items are unchanged. 0 items and 1 rows without a key were "
            "rejected. 2 old items stay, because the new ones were rejected. 7 deletes were held "
            "back, because a row without a key could be of any key. All totals add up.",
        ),
        (
            replace(NIGHT, rows_read=240, rows_same=11_760, held_back=7),
            "user_items is complete",
            "12,000 rows became 4,000 items; 11,760 of the rows are the same as in the last run "
            "and were not read. DynamoDB acknowledged 83 puts (31 new, 52 changed) and 3 deletes; "
            "3,917 items are unchanged. Nothing was rejected. 7 deletes were held back, because "
            "the model changed during the read. All totals add up.",
        ),
        (
            replace(NIGHT, new=0, changed=3, rewritten=80, keys_before=4_003),
            "user_items is complete",
            "12,000 rows became 4,000 items. DynamoDB acknowledged 83 puts (0 new, 3 changed, 80 "
            "written again) and 3 deletes; 3,917 items are unchanged. Nothing was rejected. All "
            "totals add up.",
        ),
        (
            replace(COMPLETE, unchanged=4_000, new=0, changes=0, put=0, keys_before=4_000),
            "user_items is complete",
            "12,000 rows became 4,000 items. The table has all of them already, and nothing was "
            "written. All totals add up.",
        ),
        (
            reconcile(planned(), [], "f", CONTEXT),
            "user_items is complete",
            "0 rows became 0 items. All totals add up.",
        ),
    ],
)
def test_the_result_of_a_complete_run_says_only_what_is_true(
    report: Report, result: str, text: str
) -> None:
    header = shown(report).text.split(" ✓ ")[1].split(" run 2026")[0]

    assert (report.complete, header) == (True, f"{result} {text}")


def test_the_page_of_an_incomplete_run_begins_with_the_gap_its_cause_and_the_next_command() -> None:
    assert shown(incomplete()).text.split(" Totals")[0] == (
        "user_items: INCOMPLETE 2026-01-02T03-04-05Z "
        "stg_orders → DynamoDB table items (eu-west-1, on demand) ✗ user_items is INCOMPLETE "
        "What is missing 7 of 30 changes were not acknowledged 2 of 31 items were rejected "
        "2 rows have no key "
        "Why 7 changes of partition 5 were not acknowledged: busy "
        "item user_id 0: bad 0 2 rows: key is NULL item user_id x: refused "
        "Where it is listed .loader/run/rejects.jsonl "
        "Continue with loader resume user_items "
        "run 2026-01-02T03-04-05Z · apply began 2026-01-02 03:04:11 UTC · 10.0 s in total"
    )


def test_totals_are_shown_as_equations_that_hold_or_do_not() -> None:
    report = replace(COMPLETE, put=3_998, warehouse_rows_before=12_000, warehouse_rows_after=12_007)
    text = shown(report).text

    assert text.split(" Totals ")[1].split(" Where the time went")[0] == (
        "12,000 rows read = 12,000 rows grouped + 0 rows rejected ✓ holds "
        "4,000 items = 4,000 puts planned + 0 unchanged + 0 rejected by the plan ✓ holds "
        "4,000 changes = 4,000 puts planned + 0 deletes planned ✓ holds "
        "4,000 changes = 3,998 put + 0 deleted + 0 rejected by DynamoDB + 0 not sent "
        "✗ does not hold: 2 off "
        "4,000 keys before and new ones = 4,000 keys after + 0 deletes planned ✓ holds "
        "The model changed during the read: the warehouse counted 12,000 rows before it and "
        "12,007 after it. Some items may be older than others, and the warehouse's counts cannot "
        "be compared with the rows read. Staging as a table gives all queries the same rows."
    )


@pytest.mark.parametrize("report", [COMPLETE, incomplete()])
def test_the_page_loads_nothing(report: Report) -> None:
    reader = shown(report)

    names = {tag for tag, _ in reader.elements}
    addresses = [
        (name, value)
        for _, attributes in reader.elements
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "data", "action", "xlink:href", "style")
    ]
    assert names & {"script", "img", "iframe", "object", "embed", "base", "form"} == set()
    assert [a for a in addresses if a[1] != "data:," and not str(a[1]).startswith("#")] == []
    assert re.findall(r"url\(|@import|expression\(", page(report.to_dict())) == []
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert {"http-equiv": "Content-Security-Policy", "content": policy} in reader.all("meta")


@pytest.mark.parametrize("report", [COMPLETE, incomplete()])
def test_the_page_serves_a_screen_reader(report: Report) -> None:
    reader = shown(report)

    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch(r"h\d", tag)]
    charts = [a for a in reader.all("svg") if a.get("class") == "chart"]
    anchors = [a["id"] for a in reader.all("section")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(a["role"] == "img" and re.search(r"\d", a["aria-label"] or "") for a in charts)
    assert all(a["scope"] in ("col", "row") for a in reader.all("th"))
    assert len(anchors) == len(set(anchors))
    assert {str(a["href"])[1:] for a in reader.all("a")} <= set(anchors)
    assert reader.all("html") == [{"lang": "en"}]


def test_a_run_with_partitions_has_six_charts_and_one_more_when_it_was_throttled() -> None:
    charts = [a["aria-label"] for a in shown(incomplete()).all("svg") if a.get("role") == "img"]

    assert charts == [
        "Seconds of each phase. start 3.0 s, check 1.0 s, plan 2.0 s, apply 4.0 s",
        "changes/s. at most 12 in second 1, 6 on average",
        "WCU/s. at most 12 in second 1, 6.2 on average",
        "throttled requests/s. at most 1 in second 1, 0.5 on average",
        "rows. at most 60 in partition 5: 1.26 × the mean of 48",
        "items. at most 20 in partition 5: 1.29 × the mean of 16",
        "bytes of items. at most 17.6 KB in partition 5: 1.33 × the mean of 13.2 KB",
    ]


def test_rates_are_per_second_however_wide_the_points_are() -> None:
    slow = OverTime(10, [Point(0, 500, 750.0), Point(10, 1, 1.0)])

    text = shown(replace(COMPLETE, over_time=slow, throttled=0)).text

    assert text.split(" Writing over time ")[1].split(" Skew")[0] == (
        "changes/s at most 50 in second 0, 25 on average second 0: 50 second 10: 0.1 50 0 s "
        "20 s after the apply began "
        "WCU/s at most 75 in second 0, 38 on average second 0: 75 second 10: 0.1 80 0 s "
        "20 s after the apply began "
        "Each column is 10 s of wall time; the last one may be shorter. "
        "The numbers Second changes/s WCU/s 0 50.0 75.0 10 0.1 0.1"
    )


texts = st.text(max_size=20) | st.just(HOSTILE)


def poisoned(value: Any, poison: str) -> Any:
    """The document with the poison at the end of every text that a user may have written."""
    if isinstance(value, dict):
        return {name: poisoned(entry, poison) for name, entry in value.items()}
    if isinstance(value, list):
        return [poisoned(entry, poison) for entry in value]
    return value + poison if isinstance(value, str) else value


@given(texts)
def test_all_texts_of_users_are_escaped(poison: str) -> None:
    document = json.loads(json.dumps(incomplete().to_dict()))
    keys = [reject.pop("key") for reject in document["rejects"]]
    fixed = {name: document.pop(name) for name in ("apply_began", "billing_mode", "complete")}
    document = {**poisoned(document, poison), **fixed}
    for reject, key in zip(document["rejects"], keys, strict=True):
        reject["key"] = key and f'"{{}}":{{"S":{json.dumps("x" + poison)}}}'
    document["settings"][poison] = poison
    document["plan_facts"] = {f"f{poison}": {"a" + poison: [poison, 1.5, None, True]}}

    reader = Reader(page(document))

    facts = {"f": {"a": ["", 1.5, None, True]}}
    plain = Reader(page({**json.loads(json.dumps(incomplete().to_dict())), "plan_facts": facts}))
    added = len(reader.elements) - len(plain.elements)
    row_of_the_setting = 4 if poison not in incomplete().to_dict()["settings"] else 0
    assert added == row_of_the_setting
    assert not any(name.startswith("on") for _, a in reader.elements for name in a)


def test_a_script_in_a_key_is_shown_and_not_run() -> None:
    key = f'"user_id":{{"S":{json.dumps(HOSTILE)}}}'
    report = replace(COMPLETE, rejected_by_table=1, put=3_999, rejects=[Reject("bad", 0, key)])

    reader = shown(report)

    assert f"user_id {HOSTILE}" in reader.text
    assert reader.all("script") + reader.all("img") == []


def test_the_first_rejects_are_shown_with_the_file_that_has_all() -> None:
    rejects = [Reject(f"bad {n}", 1, f'"k":{{"S":"{n}"}}') for n in range(50)]
    report = replace(COMPLETE, rejected_by_table=50, put=3_950, rejects=rejects)

    text = shown(report).text.split(" Rejected ")[1].split(" Not sent")[0]

    assert text.startswith("50 items and 0 rows without a key. Key Rows Reason k 0 1 bad 0 k 1 1 ")
    assert text.endswith("k 19 1 bad 19 More are in .loader/run/rejects.jsonl .")


def test_a_run_that_wrote_nothing_has_a_page() -> None:
    report = reconcile(planned(), [], ".loader/run", CONTEXT)

    text = shown(report).text

    assert (report.complete, "No rows were read." in text, "Nothing was sent." in text) == (
        True,
    ) * 3


def test_allowed_rejects_are_no_reason_why_a_run_is_incomplete() -> None:
    rejects = [Reject("bad", 0, '"user_id":{"S":"x"}')]
    report = replace(
        ALLOWED, put=3_990, not_sent=7, partitions_not_sent=[NotSent(5, 7, "busy")], rejects=rejects
    )

    head, rest = shown(report).text.split(" Where it is listed ")

    assert head.split(" What is missing ")[1] == (
        "7 of 3,999 changes were not acknowledged Why 7 changes of partition 5 were not "
        "acknowledged: busy"
    )
    assert "user_id x" in rest.split(" Rejected ")[1]


def test_rows_without_a_partition_are_rows_that_were_read() -> None:
    report = reconcile(planned(replace(KEYLESS, partition=None)), [], "f", CONTEXT, max_rejects=2)

    assert "No row has a partition." in shown(report).text


def test_settings_are_shown_with_the_spark_properties() -> None:
    text = shown(COMPLETE).text

    assert text.split(" Settings ")[1] == (
        "Values that look like secrets are masked. Setting Value target prod profiles_dir not set "
        "queries 8 spark.a b Versions Component Version loader 1.0 pyspark 4.0.0 python 3.11.7"
    )


def test_the_page_shows_how_fast_the_run_might_write() -> None:
    limit = "writes at most 1,000 WCU/s: 50% of the 2,000 that are provisioned"
    text = shown(replace(COMPLETE, context=replace(COMPLETE.context, write_limit=limit))).text

    assert f"as DynamoDB reported them; the run {limit}" in text


REASON = "IndexWriteProvisionedThroughputExceeded"
LIMITED = replace(
    COMPLETE,
    over_time=OverTime(
        1,
        [Point(0, 500, 1_200.0), Point(1, 500, 1_200.0, 1)],
        [
            Limit(None, [800.0, 900.0], [None, 1_000.0]),
            Limit("by_item", [400.0, 300.0], [500.0] * 2),
        ],
    ),
    pace=Pace([Throttled("by_item", REASON, 5)], [FixedShare(2, "cannot connect to the driver")]),
)  # fmt: skip


def section(report: Report, name: str, after: str) -> str:
    return shown(report).text.split(f" {name} ")[1].split(f" {after} ")[0]


def test_the_table_and_each_index_with_a_limit_has_a_chart_with_what_it_was_allowed() -> None:
    reader = shown(LIMITED)
    charts = [a["aria-label"] for a in reader.all("svg") if a.get("role") == "img"]

    assert charts[1:] == [
        "changes/s. at most 500 in second 0, 500 on average",
        "WCU/s of the table. at most 900 in second 1, 850 on average; allowed 1,000",
        "WCU/s of index by_item. at most 400 in second 0, 350 on average; allowed 500",
        "throttled requests/s. at most 1 in second 1, 0.5 on average",
    ]
    assert [line["x1"] for line in reader.all("line") if line["class"] == "limit"] == [
        "50.0%",
        "0.0%",
    ]
    assert section(LIMITED, "Writing over time", "Skew of").split(" The line ")[1] == (
        "is what the run was allowed. The numbers Second changes/s WCU/s of the table allowed "
        "WCU/s of index by_item allowed throttled requests/s "
        "0 500.0 800.0 400.0 500.0 0.0 1 500.0 900.0 1,000.0 300.0 500.0 1.0"
    )


@pytest.mark.parametrize(
    ("limits", "titles"),
    [
        ([], ["WCU/s"]),
        ([Limit(None, [1_200.0] * 2, [2_000.0] * 2)], ["WCU/s"]),
        # An index without a limit consumes the rest.
        ([Limit(None, [1_000.0] * 2, [2_000.0] * 2)], ["WCU/s", "WCU/s of the table"]),
    ],
)
def test_the_units_are_shown_in_total_if_the_limits_do_not_have_all_of_them(
    limits: list[Limit], titles: list[str]
) -> None:
    report = replace(LIMITED, over_time=replace(LIMITED.over_time, limits=limits))

    assert [rate.title for rate in rates(report.to_dict())] == [
        "changes/s", *titles, "throttled requests/s",
    ]  # fmt: skip


def test_the_reasons_of_throttles_and_of_fixed_shares_are_in_their_table() -> None:
    assert section(LIMITED, "Retries and throttles", "Rejected").endswith(
        f"Throttled 1 0.6% of the requests index by_item 5 throttled: {REASON} "
        "Write units 4,321 as DynamoDB reported them Slices at a fixed share 2 of the limit, "
        "because their task cannot connect to the driver"
    )
