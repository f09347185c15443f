"""The account adds up where groups were split, and says what was dropped."""

from dataclasses import replace

from loader.report.lines import report_lines
from tests.support.example_report import COMPLETE

SPLIT = replace(COMPLETE, split_items=2_000, changes=6_000, put=6_000)


def test_a_split_group_is_one_item_with_further_parts_and_all_puts_are_accounted_for() -> None:
    lost = replace(SPLIT, split_items=2_001)

    assert (SPLIT.items, SPLIT.parts, SPLIT.mismatch, SPLIT.complete) == (4_000, 6_000, [], True)
    assert (lost.mismatch, lost.complete) == (
        [
            "items and their further parts must be puts planned + rejected by the plan, "
            "got 6,001 and 6,000 + 0"
        ],
        False,
    )


def test_what_was_truncated_and_split_is_told() -> None:
    truncated = replace(COMPLETE, truncated_items=2, dropped_elements=1_250)

    assert report_lines(SPLIT)[2] == (
        "  items      4,000 + 2,000 further parts = 6,000 put + 0 rejected + 0 not sent"
    )
    assert "  split      2,000 further parts of items over the limit" in report_lines(SPLIT)
    assert "  truncated  2 items, 1,250 elements dropped" in report_lines(truncated)
