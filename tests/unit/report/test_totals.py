from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.dbt.gate import Gate
from loader.plan.partition_result import PartitionResult, Reject
from loader.report.equation import Equation, Term
from loader.report.metrics import OverTime, Partition, Point, Query
from loader.report.reconciliation import reconcile
from loader.report.totals import Report
from loader.storage.slice_outcome import NotSent, SliceOutcome
from tests.support.example_plan import KEYLESS, partition, planned
from tests.support.example_report import COMPLETE, CONTEXT

FOLDER = ".loader/run"


def test_totals_add_up_the_plan_and_the_outcomes_of_its_slices() -> None:
    plan = planned(partition(0, 10, rejected=1), partition(1, 20), KEYLESS)
    second = 1_767_323_052
    outcomes = [
        SliceOutcome(
            0, 12, 3, 1, 1, 12.5, 1, [('"user_id":{"S":"x"}', "refused")],
            by_second={second: (12, 12.5, 1)},
        ),
        SliceOutcome(
            1, 10, 2, 2, 0, 10.0, 0, [], [NotSent(1, 3, "busy"), NotSent(0, 1, "busy")],
            by_second={second: (4, 4.0, 0), second + 2: (6, 6.0, 0)},
        ),
        SliceOutcome(2, 0, 0, 0, 0, 0.0, 0, [], [NotSent(1, 2, "busy"), NotSent(1, 1, "denied")]),
    ]  # fmt: skip

    report = reconcile(plan, outcomes, FOLDER, CONTEXT)

    assert report == replace(
        COMPLETE,
        rows_read=95,
        rows_grouped=93,
        rows_rejected=2,
        items=31,
        new=30,
        changes=30,
        keys_after=30,
        put=22,
        rejected_by_plan=1,
        rejected_by_table=1,
        not_sent=7,
        requests=5,
        retries=3,
        throttled=1,
        write_units=22.5,
        rejects=[
            Reject("bad 0", 3, '"user_id":{"S":"0"}'),
            Reject("key is NULL", 2),
            Reject("refused", 0, '"user_id":{"S":"x"}'),
        ],
        partitions_not_sent=[NotSent(0, 1, "busy"), NotSent(1, 5, "busy"), NotSent(1, 1, "denied")],
        partitions=[
            Partition(0, 0, 35, 11, 9_000, 10, 0.25),
            Partition(1, 0, 60, 20, 18_000, 20, 0.25),
        ],
        queries=[Query(0, 0, 1, 95, 1.5, 2.0)],
        over_time=OverTime(1, [Point(0), Point(1, 16, 16.5, 1), Point(2), Point(3, 6, 6.0, 0)]),
        plan_facts={"dbt_gate": asdict(Gate())},
    )
    assert (report.rejected, report.mismatch, report.seconds) == (2, [], 10.0)


def test_a_run_that_put_everything_is_complete() -> None:
    report = reconcile(planned(partition(0, 5)), [SliceOutcome(0, 5)], FOLDER, CONTEXT)

    assert (report.complete, report.missing, report.next_step, report.next_command) == (
        True, [], "", "",
    )  # fmt: skip


@pytest.mark.parametrize(
    "report",
    [
        replace(COMPLETE, rows_rejected=1, rows_read=12_001),
        replace(COMPLETE, rejected_by_plan=1, items=4_001),
        replace(COMPLETE, rejected_by_table=1, put=3_999),
        replace(COMPLETE, not_sent=1, put=3_999),
    ],
)
def test_a_reject_or_an_unsent_item_makes_a_run_incomplete(report: Report) -> None:
    assert (COMPLETE.complete, report.complete, report.mismatch) == (True, False, [])


@pytest.mark.parametrize(("allowed", "complete"), [(6, False), (7, True), (8, True)])
def test_a_run_with_as_many_rejects_as_are_allowed_is_complete(
    allowed: int, complete: bool
) -> None:
    report = replace(
        COMPLETE, rows_read=12_004, rows_rejected=4, rejected_by_plan=1, rejected_by_table=2,
        new=3_999, changes=3_999, put=3_997, keys_after=3_999, max_rejects=allowed,
    )  # fmt: skip
    unsent = replace(report, put=3_996, not_sent=1)

    assert (report.complete, report.mismatch) == (complete, [])
    assert report.missing == (
        [] if complete else ["3 of 4,000 items were rejected", "4 rows have no key"]
    )
    assert (unsent.complete, unsent.next_step, unsent.next_command) == (
        False,
        "Continue with",
        "loader resume user_items",
    )


def test_items_are_listed_in_rejects_jsonl_and_broken_equations_in_the_report() -> None:
    reports = [
        replace(COMPLETE, not_sent=1, put=3_999),
        replace(COMPLETE, rows_rejected=1, max_rejects=1),
        replace(COMPLETE, put=3_999),
    ]

    assert [report.listed_in for report in reports] == [
        ".loader/run/rejects.jsonl",
        ".loader/run/rejects.jsonl",
        ".loader/run/report.json",
    ]


# Equations


def broken(report: Report) -> list[str]:
    return [equation.name for equation in report.equations if not equation.holds]


@dataclass
class Case:
    """A run whose numbers agree; a test may change them one by one."""

    partitions: list[PartitionResult]
    outcomes: list[SliceOutcome]
    warehouse: bool

    def report(self) -> Report:
        plan = planned(*self.partitions)
        if self.warehouse:
            plan.warehouse_rows_before = plan.warehouse_rows_after = plan.rows_read
            plan.warehouse_keys = plan.items
        return reconcile(plan, self.outcomes, FOLDER, CONTEXT)


@st.composite
def cases(draw: Any) -> Case:
    """Partitions whose changes were acknowledged, rejected or not sent, cut into slices."""
    number, few = st.integers(0, 8), st.integers(0, 3)
    partitions, fates = [], []
    for position in range(draw(st.integers(1, 4))):
        puts, rejected, unchanged, deletes = draw(st.tuples(number, few, number, number))
        partitions.append(partition(position, puts, rejected, unchanged, deletes))
        fates += [(position, 0)] * puts + [(position, 1)] * deletes
        if keyless := draw(st.integers(0, 5)):
            rejects = [Reject("key is NULL", keyless)]
            partitions.append(
                PartitionResult(
                    position, keyless, keyless_rows=keyless, rejects=rejects, rows_read=keyless
                )
            )
    outcomes = [SliceOutcome(0), SliceOutcome(1)]
    for place, deleted in fates:
        outcome = outcomes[draw(st.integers(0, 1))]
        fate = draw(st.sampled_from(["written", "written", "written", "rejected", "not sent"]))
        if fate == "written":
            outcome.acknowledged += 1
            outcome.deleted += deleted
        elif fate == "rejected":
            outcome.rejected += 1
            outcome.rejects.append(('"user_id":{"S":"x"}', "refused"))
        else:
            outcome.not_sent.append(NotSent(place, 1, "busy"))
    return Case(partitions, outcomes, draw(st.booleans()))


@given(cases())
def test_the_equations_of_a_run_that_lost_nothing_hold_whatever_its_outcome(case: Case) -> None:
    report = case.report()

    assert report.mismatch == []
    assert report.complete == (report.rows_rejected == report.rejected == report.not_sent == 0)


def plan_field(name: str) -> Callable[[Case, int], Report]:
    def change(case: Case, by: int) -> Report:
        """Change the plan after the warehouse counted."""
        report = case.report()
        result = case.partitions[0]
        if name == "changes":
            assert result.part
            result.part = replace(result.part, changes=result.part.changes + by)
        else:
            setattr(result, name, getattr(result, name) + by)
        counted = (report.warehouse_rows_before, report.warehouse_rows_after, report.warehouse_keys)
        plan = planned(*case.partitions)
        plan.warehouse_rows_before, plan.warehouse_rows_after, plan.warehouse_keys = counted
        return reconcile(plan, case.outcomes, FOLDER, CONTEXT)

    return change


def outcome_field(case: Case, by: int) -> Report:
    case.outcomes[0].acknowledged += by
    return case.report()


def report_field(*names: str) -> Callable[[Case, int], Report]:
    def change(case: Case, by: int) -> Report:
        case.warehouse = True
        report = case.report()
        return replace(report, **{name: getattr(report, name) + by for name in names})

    return change


# Each number, with the equations that contain it: of any run, and with the warehouse's counts.
NUMBERS = {
    "rows read": (plan_field("rows_read"), ["rows"], ["warehouse before", "warehouse after"]),
    "rows of groups": (plan_field("rows"), ["rows"], []),
    "groups": (plan_field("items"), ["items"], ["warehouse keys"]),
    "rejected by the plan": (plan_field("rejected_items"), ["items"], []),
    "changes": (plan_field("changes"), ["planned", "changes"], []),
    "new": (plan_field("new"), ["items", "planned", "keys"], []),
    "changed": (plan_field("changed"), ["items", "planned"], []),
    "rewritten": (plan_field("rewritten"), ["items", "planned"], []),
    "unchanged": (plan_field("unchanged"), ["items"], []),
    "deletes": (plan_field("deletes"), ["planned", "keys"], []),
    "keys before": (plan_field("state_keys"), ["keys"], []),
    "keys after": (report_field("keys_after"), ["keys"], []),
    "deleted": (report_field("deleted"), ["changes"], []),
    "acknowledged": (outcome_field, ["changes"], []),
    "rejected by DynamoDB": (report_field("rejected_by_table"), ["changes"], []),
    "not sent": (report_field("not_sent"), ["changes"], []),
    "rows rejected": (report_field("rows_rejected"), ["rows"], []),
    "warehouse rows": (
        report_field("warehouse_rows_before", "warehouse_rows_after"),
        [],
        ["warehouse before", "warehouse after"],
    ),
    "warehouse keys": (report_field("warehouse_keys"), [], ["warehouse keys"]),
}


@pytest.mark.parametrize("name", NUMBERS)
@given(case=cases(), by=st.integers(1, 10**6) | st.integers(-(10**6), -1))
def test_a_wrong_number_breaks_exactly_the_equations_that_contain_it(
    name: str, case: Case, by: int
) -> None:
    change, always, counted = NUMBERS[name]

    report = change(case, by)

    asked = report.warehouse_keys is not None
    expected = [*always, *(counted if asked else [])]
    assert broken(report) == expected
    assert len(report.mismatch) == len(expected)
    assert not report.complete


def test_an_equation_that_does_not_hold_is_reported_with_its_numbers() -> None:
    wrong = Equation(
        "changes", Term("puts planned", 1_500), [Term("acknowledged", 1_400), Term("not sent", 99)]
    )

    assert (wrong.holds, wrong.problem) == (
        False,
        "puts planned must be acknowledged + not sent, got 1,500 and 1,400 + 99",
    )
    assert asdict(wrong) == {
        "name": "changes",
        "left": {"what": "puts planned", "count": 1_500},
        "right": [
            {"what": "acknowledged", "count": 1_400},
            {"what": "not sent", "count": 99},
        ],
        "holds": False,
    }


def test_two_errors_that_cancel_out_in_one_equation_show_in_another() -> None:
    report = replace(COMPLETE, items=3_999, new=3_999, changes=3_999, keys_after=3_999)

    assert report.mismatch == [
        "changes must be put + deleted + rejected by DynamoDB + not sent, "
        "got 3,999 and 4,000 + 0 + 0 + 0"
    ]


def test_the_counts_of_the_warehouse_are_those_of_the_plan() -> None:
    plan = planned(partition(0, 1))
    plan.warehouse_rows_before, plan.warehouse_rows_after, plan.warehouse_keys = 3, 3, 2

    report = reconcile(plan, [SliceOutcome(0, 1)], FOLDER, CONTEXT)

    assert broken(report) == ["warehouse keys"]


def counted(before: int | None, after: int | None, keys: int | None) -> Report:
    return replace(
        COMPLETE,
        warehouse_rows_before=before,
        warehouse_rows_after=after,
        warehouse_keys=keys,
    )


@pytest.mark.parametrize(
    ("report", "changed", "missing", "mismatch"),
    [
        (counted(12_000, 12_000, 4_000), False, [], []),
        (counted(None, None, None), None, [], []),
        (
            counted(12_000, 12_000, 4_001),
            False,
            ["the totals do not add up"],
            ["distinct keys counted must be items, got 4,001 and 4,000"],
        ),
        (
            counted(12_007, 12_007, None),
            False,
            ["the totals do not add up"],
            ["rows counted before the read must be rows read, got 12,007 and 12,000",
             "rows counted after the read must be rows read, got 12,007 and 12,000"],
        ),
        # The counts of a model that changed during the read cannot be compared.
        (counted(11_990, 12_000, 4_001), True, [], []),
    ],
)  # fmt: skip
def test_the_counts_of_the_warehouse_are_compared_with_the_rows_and_items_read(
    report: Report, changed: bool | None, missing: list[str], mismatch: list[str]
) -> None:
    assert (report.source_changed, report.missing, report.mismatch) == (changed, missing, mismatch)
    assert report.complete == (not mismatch)


# What is missing, and what to do


@pytest.mark.parametrize(
    ("report", "missing", "step"),
    [
        (
            replace(COMPLETE, not_sent=3, rejected_by_table=1, put=3_996),
            ["3 of 4,000 changes were not acknowledged", "1 of 4,000 items were rejected"],
            ("Continue with", "loader resume user_items"),
        ),
        (
            replace(COMPLETE, rejected_by_plan=2, new=3_998, changes=3_998, put=3_998,
                    keys_after=3_998, rows_rejected=7, rows_read=12_007),
            ["2 of 4,000 items were rejected", "7 rows have no key"],
            ("Fix the rows or the export, then", "loader load --export user_items --target prod"),
        ),
        (
            replace(COMPLETE, put=3_999),
            ["the totals do not add up"],
            ("Load again with", "loader load --export user_items --target prod"),
        ),
    ],
)  # fmt: skip
def test_an_incomplete_run_reports_what_is_missing_and_the_command_that_continues(
    report: Report, missing: list[str], step: tuple[str, str]
) -> None:
    assert (report.missing, (report.next_step, report.next_command)) == (missing, step)
