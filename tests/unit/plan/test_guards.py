"""The numbers are those of the shipped data: 4,286 users in the table."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from loader.change_limit import ChangeLimit, change_limit
from loader.plan.guards import GuardFacts, GuardLimits, guard_limits, guard_lines, guard_problems
from loader.settings import Settings
from tests.support.exports import KEYED

NIGHT = GuardFacts(
    export="user_items",
    model="stg_retail__transactions",
    table="user_items",
    rows=407_695,
    keys=4_286,
    new=31,
    changed=52,
    deletes=3,
    deleted_keys=["user_id 12347"],
    changed_keys=["user_id 12348"],
)
SHRUNK = replace(NIGHT, deletes=1_714, deleted_keys=[f"user_id {12347 + n}" for n in range(9)])
DEFAULT = GuardLimits()
SAMPLE = "such as user_id 12347, user_id 12348, user_id 12349, user_id 12350, user_id 12351"


def test_a_plan_within_its_limits_has_no_problem() -> None:
    assert guard_problems(NIGHT, DEFAULT) == []
    assert guard_lines(NIGHT, DEFAULT) == [
        "3 gone of 4,286 (0.07 %), allowed 10 %        ok",
    ]


def test_too_many_deletes_are_refused_with_numbers_keys_and_the_flag_for_exactly_these() -> None:
    assert guard_problems(SHRUNK, DEFAULT) == [
        "export user_items must delete at most 10 % of the 4,286 keys of table user_items (428), "
        f"got 1,714 (40.0 %), {SAMPLE}: "
        "check the model, or let exactly these pass with --allow-deletes 1714"
    ]
    assert guard_lines(SHRUNK, DEFAULT) == [
        "1,714 gone of 4,286 (40.0 %), allowed 10 %        REFUSED"
    ]


def test_exactly_the_allowed_number_of_deletes_passes() -> None:
    assert guard_problems(SHRUNK, DEFAULT, allow_deletes=1_714) == []
    assert guard_lines(SHRUNK, DEFAULT, allow_deletes=1_714) == [
        "1,714 gone of 4,286 (40.0 %), allowed 10 %        ok with --allow-deletes 1714"
    ]


@pytest.mark.parametrize("allowed", [0, 1_713, 1_715, 1_000_000])
def test_another_number_of_deletes_is_refused_with_both_numbers(allowed: int) -> None:
    assert guard_problems(SHRUNK, DEFAULT, allow_deletes=allowed) == [
        "export user_items must delete at most 10 % of the 4,286 keys of table user_items (428) "
        f"or exactly the {allowed:,} of --allow-deletes, got 1,714 (40.0 %), {SAMPLE}: "
        "check the model, or let exactly these pass with --allow-deletes 1714"
    ]


def test_an_allowance_that_is_not_needed_does_not_refuse_a_plan_within_its_limits() -> None:
    assert guard_problems(NIGHT, DEFAULT, allow_deletes=1_714, allow_changes=9) == []


def test_an_empty_model_is_refused_even_if_nothing_would_be_deleted() -> None:
    empty = replace(NIGHT, rows=0, new=0, changed=0, deletes=4_286, deleted_keys=[])

    assert guard_problems(empty, DEFAULT, allow_deletes=4_286) == [
        "export user_items must read at least 1 row of stg_retail__transactions, got 0: "
        "check the model, or let so few pass with --min-rows 0"
    ]
    assert guard_lines(empty, DEFAULT) == [
        "0 rows, at least 1        REFUSED",
        "4,286 gone of 4,286 (100.0 %), allowed 10 %        REFUSED",
    ]
    assert guard_problems(empty, GuardLimits(min_rows=0), allow_deletes=4_286) == []


def test_a_first_run_is_guarded_by_its_rows_alone() -> None:
    first = replace(NIGHT, keys=None, changed=0, deletes=0)

    assert guard_problems(first, GuardLimits(500_000, max_changes=change_limit("0%"))) == [
        "export user_items must read at least 500,000 rows of stg_retail__transactions, "
        "got 407,695: check the model, or let so few pass with --min-rows 407695"
    ]
    assert guard_lines(first, DEFAULT) == [
        "no state, so nothing is deleted; 407,695 rows, at least 1        ok"
    ]


@pytest.mark.parametrize(("changed", "deletes", "broken"), [(1, 0, 0), (1, 1, 1), (0, 2, 1)])
def test_changed_and_deleted_keys_count_as_changes_and_new_keys_do_not(
    changed: int, deletes: int, broken: int
) -> None:
    facts = replace(NIGHT, keys=5, new=1_000, changed=changed, deletes=deletes)
    limits = GuardLimits(max_deletes=change_limit("100%"), max_changes=change_limit("20%"))

    assert len(guard_problems(facts, limits)) == broken


def test_all_broken_guards_are_reported_together() -> None:
    limits = GuardLimits(500_000, change_limit("10%,50"), change_limit("100"))

    assert guard_problems(replace(SHRUNK, deleted_keys=[]), limits, 1, 2) == [
        "export user_items must read at least 500,000 rows of stg_retail__transactions, "
        "got 407,695: check the model, or let so few pass with --min-rows 407695",
        "export user_items must delete at most 10 % and 50 of the 4,286 keys of table user_items "
        "(50) or exactly the 1 of --allow-deletes, got 1,714 (40.0 %): "
        "check the model, or let exactly these pass with --allow-deletes 1714",
        "export user_items must change or delete at most 100 of the 4,286 keys of table "
        "user_items or exactly the 2 of --allow-changes, got 1,766 (41.3 %), such as user_id "
        "12348: check the model, or let exactly these pass with --allow-changes 1766",
    ]


def test_a_share_just_over_its_limit_does_not_look_as_if_it_held() -> None:
    facts = replace(NIGHT, deletes=429)

    assert guard_lines(facts, DEFAULT) == [
        "429 gone of 4,286 (10.1 %), allowed 10 %        REFUSED",
    ]


@pytest.mark.parametrize(
    ("given", "limits"),
    [
        ({}, (7, "5%", "30%")),
        ({"min_rows": 0}, (0, "5%", "30%")),
        ({"max_deletes": ChangeLimit(number=0)}, (7, "0", "30%")),
        ({"max_changes": ChangeLimit(Decimal(1))}, (7, "5%", "1%")),
    ],
)
def test_a_limit_on_the_command_line_wins_over_the_exposure(
    given: dict[str, Any], limits: tuple[int, str, str]
) -> None:
    export = replace(
        KEYED, min_rows=7, max_deletes=change_limit("5%"), max_changes=change_limit("30%")
    )

    found = guard_limits(export, Settings(**given))

    assert (found.min_rows, str(found.max_deletes), str(found.max_changes)) == limits
