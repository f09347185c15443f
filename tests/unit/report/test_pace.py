"""Why the writes of a run were slowed, as its report has it."""

from dataclasses import replace

from loader.report.lines import report_lines
from loader.report.pace import FixedShare, Pace, Throttled, pace
from loader.storage.slice_outcome import SliceOutcome
from tests.support.example_report import COMPLETE

KEY_RANGE = "TableWriteKeyRangeThroughputExceeded"
OF_INDEX = "IndexWriteProvisionedThroughputExceeded"
LOST = "cannot connect to the driver at 10.0.0.7:4040: timed out"
SLOWED = Pace(
    [Throttled("by_item", OF_INDEX, 5), Throttled(None, KEY_RANGE, 2)], [FixedShare(2, LOST)]
)


def test_reasons_and_fallbacks_of_all_slices_are_added_up_the_most_frequent_first() -> None:
    outcomes = [
        SliceOutcome(0, throttles={f"table {KEY_RANGE}": 2, f"by_item {OF_INDEX}": 1}),
        SliceOutcome(1, throttles={f"by_item {OF_INDEX}": 4}, pace_fallback=LOST),
        SliceOutcome(2, pace_fallback=LOST),
    ]

    assert pace(outcomes) == SLOWED
    assert pace([SliceOutcome(0)]) == Pace()


def test_an_index_that_is_called_table_is_an_index() -> None:
    outcome = SliceOutcome(0, throttles={f"table {KEY_RANGE}": 1, f"table {OF_INDEX}": 1})

    assert [entry.index for entry in pace([outcome]).throttles] == [None, "table"]


def test_what_slowed_a_run_is_below_its_limit() -> None:
    limit = "writes at most 1,000 WCU/s: as set: 1000"
    context = replace(COMPLETE.context, write_limit=limit)

    lines = report_lines(replace(COMPLETE, pace=SLOWED, context=context))

    assert lines[4:8] == [
        f"  limit      {limit}",
        f"             2 slices used a fixed share of it: {LOST}",
        f"  throttled  5 requests of index by_item: {OF_INDEX}",
        f"             2 requests of the table: {KEY_RANGE}",
    ]
