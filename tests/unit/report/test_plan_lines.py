import json
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from loader.change_limit import ChangeLimit
from loader.dbt.gate import Gate
from loader.dynamodb.description import TableDescription, Throughput
from loader.dynamodb.estimate import Estimate
from loader.plan.guards import GuardLimits
from loader.plan.partition_result import PartitionResult, Reject
from loader.plan.result import Plan
from loader.report.plan_lines import dollars, plan_facts, plan_lines
from loader.settings import Settings
from tests.support.example_plan import KEYLESS, partition, planned

NOW = datetime(2026, 11, 24, 22, 34, 59, tzinfo=timezone.utc)
FINISHED = "2026-11-24T22:22:58.691205Z"
TABLE = TableDescription("items", (("user_id", "S"),), "ACTIVE", on_demand=True)


PLAN = Plan(
    run="2026-11-24T22-30-00-000Z",
    export="user_items",
    model="stg_orders",
    table="items",
    key=[("user_id", "S")],
    partitions=8,
    queries=4,
    seconds=2.0,
    partition_results=[partition(0, 999), partition(1, 1_001)],
    region="eu-west-1",
    warehouse_rows_before=6_000,
    warehouse_keys=2_000,
    warehouse_rows_after=6_000,
    dbt_gate=Gate(9, 9, 0, FINISHED),
    described=TABLE,
    estimate=Estimate(
        2_000, 2_000, {}, 4_000, 0.5, 0.00141, "eu-west-1", ["a new table", "nothing else"]
    ),
)
HEAD = "user_items   stg_orders → DynamoDB table items"


def test_a_plan_is_shown_in_the_order_of_the_run_with_the_command_that_applies_it() -> None:
    assert plan_lines(PLAN, ".loader/run", NOW) == [
        f"{HEAD} (eu-west-1, on demand)",
        "  checks     warehouse ok · table ok · dbt tests passed 12 min ago (9 of 9)",
        "  read       6,000 rows in 8 partitions, 4 queries at a time, 2.0 s, 3,000 rows/s",
        "  counted    6,000 rows and 2,000 keys in the warehouse before the read, "
        "the same number of rows after it",
        "  skew       partition 1 has the most: 3,003 rows, 4.00 × the mean",
        "  items      2,000   largest user_id big 1: 5.0 KB (1 % of the limit)",
        "             then user_id big 0: 2.5 KB",
        "  changes    + 2,000 new    ~ 0 changed    - 0 gone    = 0 unchanged",
        "  guards     no state, so nothing is deleted; 6,000 rows, at least 1        ok",
        "  cost       2,000 write units, about $0.0014 and 1 s at 4,000 WCU/s",
        "  limit      writes without a limit: its capacity is unknown, of which 50% is allowed",
        "  assumed    a new table",
        "  assumed    nothing else",
        "Nothing was written. Apply it:  loader apply .loader/run",
    ]


def keys(*users: int) -> list[str]:
    return [f'"user_id":{{"S":"{user}"}}' for user in users]


NIGHT = replace(
    PLAN,
    has_state=True,
    partition_results=[
        replace(
            partition(0, 31, unchanged=4_228, deletes=3),
            changed=50,
            rewritten=2,
            kept=1,
            held_back=4,
            state_keys=4_286,
            new_keys=keys(1, 2),
            changed_keys=keys(3, 4, 5, 6, 7),
            deleted_keys=keys(8),
        ),
        replace(partition(1, 0), changed_keys=keys(9)),
    ],
    full_estimate=Estimate(5_483, 5_483, {}, 4_000, 1.4, 0.0034, "eu-west-1"),
)


def test_deletes_that_are_held_back_have_their_cause() -> None:
    keyless = replace(NIGHT.partition_results[0], keyless_rows=1)
    plan = replace(NIGHT, partition_results=[keyless])

    assert "  held back  4 deletes: a row without a key may be of any key" in plan_lines(
        plan, ".loader/run", NOW
    )


def test_a_plan_with_a_state_shows_its_changes_their_keys_and_the_cost_of_a_full_load() -> None:
    assert plan_lines(NIGHT, ".loader/run", NOW)[6:] == [
        "             then user_id big 0: 2.5 KB",
        "  changes    + 31 new    ~ 50 changed    - 3 gone    = 4,228 unchanged    ? 2 put again",
        "  held back  4 deletes: the model changed during the read",
        "  kept       1 items of the table whose new item is rejected",
        "  new        user_id 1, user_id 2",
        "  changed    user_id 3, user_id 4, user_id 5, user_id 6, user_id 7",
        "  deleted    user_id 8",
        "  guards     3 gone of 4,286 (0.07 %), allowed 10 %        ok",
        "  cost       2,000 write units, about $0.0014 and 1 s at 4,000 WCU/s   "
        "(a full load: 5,483 units, $0.0034)",
        "  limit      writes without a limit: its capacity is unknown, of which 50% is allowed",
        "  assumed    a new table",
        "  assumed    nothing else",
        "Nothing was written. Apply it:  loader apply .loader/run",
    ]


@pytest.mark.parametrize(
    ("allowed", "guard", "advice"),
    [
        (
            None,
            "REFUSED",
            "REFUSED by a guard: check the model and plan again, or apply exactly these changes",
        ),
        (3, "ok with --allow-deletes 3", "Apply it"),
    ],
)
def test_a_plan_that_breaks_a_guard_ends_with_the_command_that_lets_exactly_it_pass(
    allowed: int | None, guard: str, advice: str
) -> None:
    limits = GuardLimits(max_deletes=ChangeLimit(number=2))
    plan = replace(NIGHT, limits=limits, settings=Settings(allow_deletes=allowed))

    lines = plan_lines(plan, "f", NOW)

    assert lines[-6] == f"  guards     3 gone of 4,286 (0.07 %), allowed 2        {guard}"
    assert lines[-1] == f"Nothing was written. {advice}:  loader apply f --allow-deletes 3"
    assert len(plan_facts(plan, "f")["guard_problems"]) == (0 if allowed else 1)


def test_rejects_and_notes_are_shown() -> None:
    keyless = PartitionResult(0, rows=2, keyless_rows=2, rejects=[Reject("key is NULL", 2)])
    plan = replace(
        PLAN,
        partition_results=[partition(0, 9, rejected=1), keyless],
        notes=["index i stays empty"],
    )

    lines = plan_lines(plan, "f", NOW)

    assert lines[2] == "  note       index i stays empty"
    assert lines[-5:-1] == [
        "  rejected   2 rows without a key, 1 items",
        "             item user_id 0: bad 0",
        "             2 rows: key is NULL",
        "  list       f/rejects.jsonl",
    ]


def test_a_skipped_gate_is_shown_with_its_problem() -> None:
    problem = "dbt must have built and tested export e, got none: run `x`, or load with y"
    plan = replace(PLAN, dbt_gate=Gate(9, problem=problem, skipped=True), notes=["another"])

    assert plan_lines(plan, "f", NOW)[1:4] == [
        "  checks     warehouse ok · table ok · dbt gate SKIPPED",
        "  note       dbt must have built and tested export e, got none",
        "  note       another",
    ]


def test_a_model_that_changed_during_the_read_is_shown() -> None:
    lines = plan_lines(replace(PLAN, warehouse_rows_after=6_001), "f", NOW)

    assert lines[3:5] == [
        "  counted    6,000 rows and 2,000 keys in the warehouse before the read, "
        "6,001 rows after it",
        "             the model CHANGED during the read: items may be from different times",
    ]


def test_a_plan_with_more_rejects_than_are_allowed_states_why_its_exit_code_is_1() -> None:
    results = [partition(0, 10, rejected=2), KEYLESS]
    few = planned(*results)
    enough = replace(few, settings=Settings(max_rejects=4, create_table=True))

    assert plan_lines(few, "f", NOW)[-1] == (
        "Nothing was written. 4 rejects, and --max-rejects allows 0: fix the rows or the export "
        "and plan again, or apply the others:  loader apply f"
    )
    assert plan_lines(enough, "f", NOW)[-1] == (
        "Nothing was written. Apply it:  loader apply f --max-rejects 4 --create-table"
    )
    assert "  rejected   2 rows without a key, 2 items; 4 are allowed" in plan_lines(
        enough, "f", NOW
    )


def test_a_plan_without_rows_is_shown_too() -> None:
    plan = replace(
        PLAN, seconds=0.0, partition_results=[], estimate=None, warehouse_rows_before=0,
        warehouse_keys=0, warehouse_rows_after=0,
    )  # fmt: skip

    assert plan_lines(plan, "f", NOW)[2:] == [
        "  read       0 rows in 8 partitions, 4 queries at a time, 0.0 s, 0 rows/s",
        "  counted    0 rows and 0 keys in the warehouse before the read, "
        "the same number of rows after it",
        "  items      0",
        "  changes    + 0 new    ~ 0 changed    - 0 gone    = 0 unchanged",
        "  guards     no state, so nothing is deleted; 0 rows, at least 1        REFUSED",
        "Nothing was written. REFUSED by a guard: check the model and plan again, or apply exactly "
        "these changes:  loader apply f --min-rows 0",
    ]


def test_write_units_of_indexes_are_shown_apart() -> None:
    estimate = Estimate(5_000, 2_000, {"i": 3_000}, 100, 30.2, 12.345, "eu-west-1")

    assert plan_lines(replace(PLAN, estimate=estimate), "f", NOW)[9] == (
        "  cost       5,000 write units (3,000 of them for indexes), about $12.35 "
        "and 30 s at 100 WCU/s"
    )


@pytest.mark.parametrize(
    ("table", "place", "state"),
    [
        (TABLE, "eu-west-1, on demand", "table ok"),
        (replace(TABLE, status="UPDATING"), "eu-west-1, on demand", "table ok, UPDATING"),
        (
            replace(TABLE, throughput=Throughput(most=1_500)),
            "eu-west-1, on demand, at most 1,500 WCU/s",
            "table ok",
        ),
        (
            replace(TABLE, throughput=Throughput(warm=12_000)),
            "eu-west-1, on demand, warm for 12,000 WCU/s",
            "table ok",
        ),
        (
            replace(TABLE, on_demand=False, throughput=Throughput(1_500, warm=4_000)),
            "eu-west-1, provisioned 1,500 WCU, warm for 4,000 WCU/s",
            "table ok",
        ),
        (None, "eu-west-1, on demand, to be created", "table missing, to be created"),
    ],
)
def test_the_table_is_shown_with_its_billing_and_capacity(
    table: TableDescription | None, place: str, state: str
) -> None:
    lines = plan_lines(replace(PLAN, described=table), "f", NOW)

    assert (lines[0], lines[1].split(" · ")[1]) == (f"{HEAD} ({place})", state)


@pytest.mark.parametrize(
    ("gate", "text"),
    [
        (Gate(), "no dbt tests"),
        (Gate(skipped=True), "no dbt tests"),
        (Gate(9, 9, 0, FINISHED, skipped=True), "dbt tests passed 12 min ago (9 of 9)"),
        (Gate(9, 9, 2, FINISHED), "dbt tests passed 12 min ago (9 of 9, 2 with a warning)"),
        (
            Gate(9, 9, 0, "2026-11-23T20:34:59Z"),
            "dbt tests passed 26 h ago (9 of 9)",
        ),
        (Gate(9, 9, 0, "2026-11-04T00:00:00Z"), "dbt tests passed 20 days ago (9 of 9)"),
        (Gate(9, 9), "dbt tests passed at an unknown time (9 of 9)"),
        (
            Gate(
                9,
                problem="dbt must have built and tested export e, got none: run `x`",
                skipped=True,
            ),
            "dbt gate SKIPPED",
        ),
    ],
)
def test_the_dbt_gate_is_shown(gate: Gate, text: str) -> None:
    assert plan_lines(replace(PLAN, dbt_gate=gate), "f", NOW)[1].split(" · ")[2] == text


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0.0, "$0"),
        (0.000_012_34, "$0.000012"),
        (0.003_426, "$0.0034"),
        (0.10, "$0.1"),
        (0.996, "$1.00"),
        (1234.5, "$1,234.50"),
    ],
)
def test_dollars_have_two_significant_digits(amount: float, shown: str) -> None:
    assert dollars(amount) == shown


def test_the_facts_as_json_are_those_of_the_lines() -> None:
    facts = plan_facts(PLAN, ".loader/run")

    assert json.loads(json.dumps(facts)) == {
        "run": PLAN.run,
        "export": "user_items",
        "model": "stg_orders",
        "table": "items",
        "region": "eu-west-1",
        "folder": ".loader/run",
        "partitions": 8,
        "queries": 4,
        "seconds": 2.0,
        "rows": 6_000,
        "same_rows": 0,
        "keyless_rows": 0,
        "warehouse_rows_before": 6_000,
        "warehouse_rows_after": 6_000,
        "warehouse_keys": 2_000,
        "source_changed": False,
        "fullest_partition": {"partition": 1, "rows": 3_003, "times_mean": 4.004},
        "items": 2_000,
        "rejected_items": 0,
        "largest": [
            {"key": "user_id big 1", "bytes": 5_120},
            {"key": "user_id big 0", "bytes": 2_560},
        ],
        "split_items": 0,
        "truncated_items": 0,
        "dropped_elements": 0,
        "changes": 2_000,
        "write_units": 2_000,
        "has_state": False,
        "base": 0,
        "folded": [],
        "distributed": False,
        "state_keys": 0,
        "keys_after": 2_000,
        "new": 2_000,
        "changed": 0,
        "rewritten": 0,
        "unchanged": 0,
        "deletes": 0,
        "held_back": 0,
        "kept": 0,
        "examples": {"new": [], "changed": [], "deleted": []},
        "change_bytes": 1_800_000,
        "full_write_units": 0,
        "limits": {"min_rows": 1, "max_deletes": "10%", "max_changes": None},
        "guard_problems": [],
        "write_limit": "writes without a limit: its capacity is unknown, of which 50% is allowed",
        "dbt_gate": {
            "tests": 9,
            "passed": 9,
            "warned": 0,
            "finished": FINISHED,
            "problem": "",
            "skipped": False,
            "note": "",
            "invocation": "",
        },
        "described": {
            "name": "items",
            "key": [["user_id", "S"]],
            "status": "ACTIVE",
            "on_demand": True,
            "throughput": {"provisioned": None, "most": None, "warm": None},
            "indexes": [],
            "infrequent_access": False,
            "replicas": 0,
            "arn": "",
            "table_id": "",
            "created": "",
            "reads": {"provisioned": None, "most": None, "warm": None},
            "items": 0,
            "bytes": 0,
        },
        "notes": [],
        "estimate": {
            "write_units": 2_000,
            "table_units": 2_000,
            "index_units": {},
            "rate": 4_000,
            "seconds": 0.5,
            "dollars": 0.00141,
            "price_region": "eu-west-1",
            "assumptions": ["a new table", "nothing else"],
        },
        "full_estimate": None,
        "rejects": [],
    }


def test_truncated_and_split_items_are_shown() -> None:
    counts = {"split_items": 3, "truncated_items": 1, "dropped_elements": 7}
    oversize = replace(
        PLAN,
        partition_results=[
            replace(PLAN.partition_results[0], **counts),
            *PLAN.partition_results[1:],
        ],
    )

    lines = plan_lines(oversize, ".loader/run", NOW)

    assert [line for line in lines if line.startswith(("  truncated", "  split"))] == [
        "  truncated  1 items, 7 elements dropped",
        "  split      3 split items continue items over the limit",
    ]
