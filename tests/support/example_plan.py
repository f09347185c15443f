"""A plan of made-up partitions that adds up."""

from loader.plan.partition_result import PartitionResult, Reject
from loader.plan.result import Plan
from loader.storage.changeset import Part
from loader.storage.state_part import StatePart
from tests.support.example_report import RUN


def planned(*partition_results: PartitionResult, seconds: float = 2.0) -> Plan:
    key = [("user_id", "S")]
    return Plan(
        RUN, "user_items", "stg_orders", "items", key, 8, 4, seconds, list(partition_results)
    )


def partition(
    number: int, puts: int, rejected: int = 0, unchanged: int = 0, deletes: int = 0
) -> PartitionResult:
    """A partition of new items, and of keys that the table had: unchanged, and to be deleted."""
    items, changes = puts + unchanged + rejected, puts + deletes
    return PartitionResult(
        partition=number,
        rows=3 * items,
        rows_read=3 * items,
        items=items,
        new=puts,
        unchanged=unchanged,
        deletes=deletes,
        state_keys=unchanged + deletes,
        rejected_items=rejected,
        rejects=[Reject(f"bad {n}", 3, f'"user_id":{{"S":"{n}"}}') for n in range(rejected)],
        largest_size=2_560 * (number + 1),
        largest_key=f'"user_id":{{"S":"big {number}"}}',
        part=Part(number, f"{number:05d}-0.arrow", changes, 900 * changes, changes, [(changes, 1)]),
        state=StatePart(number, f"{number:05d}-0.arrow", puts + unchanged, ""),
        seconds=0.25,
        wait_seconds=1.5 if number % 2 == 0 else 0.0,
    )


KEYLESS = PartitionResult(
    0, rows=2, keyless_rows=2, rows_read=2, rejects=[Reject("key is NULL", 2)]
)
