"""The account adds up where groups were split, and says what was dropped."""

from dataclasses import replace

from example_report import COMPLETE
from test_report import partition, planned

from loader.apply.task import SliceOutcome
from loader.report import account, plan_lines, report_lines


def test_a_split_group_is_one_item_with_further_parts_and_all_puts_are_accounted_for() -> None:
    whole = partition(0, 10, rejected=2)
    split = replace(whole, items=9, split_items=3)

    good = account(planned(split), [SliceOutcome(0, 10)], "f", 1.0)
    lost = account(planned(replace(split, split_items=4)), [SliceOutcome(0, 10)], "f", 1.0)

    assert (good.items, good.split_items, good.put, good.rejected, good.mismatch) == (
        9,
        3,
        10,
        2,
        [],
    )
    assert lost.mismatch == [
        "items read must be put, rejected or not sent, got 13 and 12",
        "changes planned must be items less those rejected in the plan, got 10 and 11",
    ]


def test_what_was_truncated_and_split_is_told() -> None:
    report = replace(COMPLETE, split_items=2_000, put=6_000)
    truncated = replace(COMPLETE, truncated_items=2, dropped_elements=1_250)

    assert report_lines(report)[2] == (
        "  items      4,000 + 2,000 further parts = 6,000 put + 0 rejected + 0 not sent"
    )
    assert "  split      2,000 further parts of items over the limit" in report_lines(report)
    assert "  truncated  2 items, 1,250 elements dropped" in report_lines(truncated)


def test_a_plan_tells_it_too() -> None:
    found = replace(partition(0, 10), split_items=3, truncated_items=1, dropped_elements=7)

    assert plan_lines(planned(found), "f", "eu-west-1")[4:6] == [
        "  truncated  1 items, 7 elements dropped",
        "  split      3 further parts of items over the limit",
    ]
