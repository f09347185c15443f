"""Totals of runs with split and truncated items."""

from dataclasses import replace

from loader.report.lines import report_lines
from tests.support.example_report import COMPLETE

SPLIT = replace(COMPLETE, split_items=2_000, new=6_000, changes=6_000, put=6_000, keys_after=6_000)


def test_split_items_are_counted_apart_from_items_and_the_totals_add_up() -> None:
    lost = replace(SPLIT, split_items=2_001)

    assert (SPLIT.items, SPLIT.all_items, SPLIT.mismatch, SPLIT.complete) == (
        4_000,
        6_000,
        [],
        True,
    )
    assert (lost.mismatch, lost.complete) == (
        [
            "items and split items must be puts planned + unchanged + rejected by the plan, "
            "got 6,001 and 6,000 + 0 + 0"
        ],
        False,
    )


def test_truncated_and_split_items_are_shown() -> None:
    truncated = replace(COMPLETE, truncated_items=2, dropped_elements=1_250)

    assert report_lines(SPLIT)[2] == (
        "  items      4,000 + 2,000 split items = 6,000 put + 0 unchanged + 0 rejected;  0 deleted"
    )
    assert "  split      2,000 split items continue items over the limit" in report_lines(SPLIT)
    assert "  truncated  2 items, 1,250 elements dropped" in report_lines(truncated)
