from dataclasses import replace
from pathlib import Path

import pytest

from loader.dbt.gate import Gate
from loader.dynamodb.description import TableDescription
from loader.dynamodb.estimate import Estimate
from loader.dynamodb.identity import TableIdentity
from loader.errors import Refused
from loader.plan.partition_result import PartitionResult, Reject
from loader.plan.result import Plan, load_plan, partition_results
from loader.settings import Settings
from loader.storage.changeset import Part
from loader.storage.location import Location

SMALL = PartitionResult(
    partition=0,
    rows=50,
    items=3,
    rejected_items=1,
    rejects=[Reject("bad", 2, '"k":{"S":"é"}')],
    largest_size=700,
    largest_key='"k":{"S":"a"}',
    part=Part(0, "00000-0.arrow", changes=2, size=900, write_units=2, batches=[(2, 2)]),
)
LARGE = PartitionResult(
    partition=3,
    rows=7,
    items=4,
    largest_size=5_000,
    largest_key='"k":{"S":"b"}',
    part=Part(3, "00003-7.arrow", changes=4, size=6_000, write_units=8, batches=[(3, 7), (1, 1)]),
)
ALL_REJECTED = PartitionResult(
    partition=5, rows=1, items=1, rejected_items=1, part=Part(5, "00005-1.arrow")
)
KEYLESS = PartitionResult(None, rows=2, keyless_rows=2, rejects=[Reject("key is NULL", 2)])


def plan(*partition_results: PartitionResult) -> Plan:
    return Plan(
        run="2026-01-02T03-04-05Z",
        export="user_items",
        model="stg_orders",
        table="items",
        key=[("k", "S"), ("n", "N")],
        partitions=8,
        queries=4,
        seconds=1.5,
        partition_results=list(partition_results),
        identity=TableIdentity("items", "eu-west-1", "https://dynamodb.example", "arn:x", "7f"),
        settings=Settings(project_dir=Path("shop"), target="prod", spark={"spark.a": "b"}),
        working_folder="/home/shop",
    )


def test_the_counts_of_a_plan_are_the_sums_over_its_partitions() -> None:
    saved = plan(SMALL, LARGE, ALL_REJECTED, KEYLESS)

    assert (saved.rows, saved.keyless_rows, saved.items, saved.rejected_items) == (60, 2, 8, 2)
    assert (saved.changes, saved.write_units) == (6, 10)
    assert saved.parts == [SMALL.part, LARGE.part]
    assert saved.rejects == [Reject("bad", 2, '"k":{"S":"é"}'), Reject("key is NULL", 2)]
    assert saved.largest == ('"k":{"S":"b"}', 5_000)


def test_split_and_truncated_items_are_summed_over_the_partitions() -> None:
    split = PartitionResult(0, rows=9, items=2, split_items=3)
    truncated = PartitionResult(1, rows=9, items=4, truncated_items=2, dropped_elements=700)
    saved = plan(split, truncated, truncated)

    assert (saved.items, saved.split_items) == (10, 3)
    assert (saved.truncated_items, saved.dropped_elements) == (4, 1_400)


def test_a_plan_without_partitions_has_counts_of_zero() -> None:
    saved = plan()

    assert (saved.rows, saved.items, saved.changes, saved.write_units) == (0, 0, 0, 0)
    assert (saved.parts, saved.rejects, saved.largest) == ([], [], (None, 0))


def test_a_saved_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    saved = plan(SMALL, LARGE, ALL_REJECTED, KEYLESS)
    saved.save(Location(str(tmp_path)))

    assert load_plan(Location(str(tmp_path))) == saved


def test_checks_counts_and_estimate_of_a_saved_plan_come_back_too(tmp_path: Path) -> None:
    saved = replace(
        plan(SMALL),
        region="eu-west-1",
        warehouse_rows_before=50,
        warehouse_keys=3,
        warehouse_rows_after=51,
        dbt_gate=Gate(5, 4, 1, "2026-11-24T22:22:58Z", "one failed", skipped=True),
        described=TableDescription("items", (("k", "S"), ("n", "N")), "ACTIVE", on_demand=True),
        notes=["index i stays empty"],
        estimate=Estimate(3, 2, {"i": 1}, 4_000, 0.5, 0.01, "eu-west-1", ["a new table"]),
    )
    saved.save(Location(str(tmp_path)))

    assert load_plan(Location(str(tmp_path))) == saved


def test_the_source_has_changed_if_the_counts_before_and_after_differ() -> None:
    still = replace(plan(SMALL), warehouse_rows_before=50, warehouse_rows_after=50)

    assert (still.source_changed, replace(still, warehouse_rows_after=49).source_changed) == (
        False,
        True,
    )


def test_the_skew_is_the_fullest_partition_over_the_mean() -> None:
    keyless = PartitionResult(0, rows=8, keyless_rows=8, rejects=[Reject("key is NULL", 8)])

    saved = plan(SMALL, LARGE, keyless)  # 58 and 7 rows in 8 partitions

    assert (saved.fullest_partition, saved.skew) == ((0, 58), 58 * 8 / 65)
    assert (plan().fullest_partition, plan().skew) == ((None, 0), 0.0)


def test_the_largest_items_are_those_of_the_partitions_in_order_of_size() -> None:
    saved = plan(SMALL, LARGE, KEYLESS)

    assert saved.largest_items(5) == [('"k":{"S":"b"}', 5_000), ('"k":{"S":"a"}', 700)]
    assert saved.largest_items(1) == [('"k":{"S":"b"}', 5_000)]


@pytest.mark.parametrize("result", [SMALL, LARGE, ALL_REJECTED, KEYLESS])
def test_the_result_of_a_partition_comes_back_from_json_as_it_was(
    result: PartitionResult,
) -> None:
    assert partition_results([result.to_json()]) == [result]


def test_a_folder_without_a_plan_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(Refused) as refused:
            load_plan(Location(str(folder)))

        assert refused.value.problems == [
            f"DIR must be the folder of a run with its plan.json, got {folder}: "
            "give the folder that `loader plan` or a load with --keep printed"
        ]


def test_a_file_where_the_folder_of_a_run_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{}")

    with pytest.raises(Refused) as refused:
        load_plan(Location(str(tmp_path / "plan.json")))

    assert refused.value.problems == [
        f"DIR must be the folder of a run with its plan.json, got {tmp_path}/plan.json: "
        "give the folder that `loader plan` or a load with --keep printed"
    ]
