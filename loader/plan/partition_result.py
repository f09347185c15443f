"""The counts of one partition of a plan, as a task returns them and plan.json keeps them."""

import json
from dataclasses import asdict, dataclass, field

from loader.storage.changeset import Part


@dataclass
class Reject:
    """Rows that are not written, and why; `key` is None if it is NULL."""

    reason: str
    rows: int
    key: str | None = None


@dataclass
class PartitionResult:
    """Rows, items and puts of one partition, and its changeset file.

    rows = rows of its items + rows without a key. Rows without a key have their own result, in
    addition to that of the partition's items. `rows_read` is counted separately, before rows are
    grouped, and is in the partition's first result: over all results it must be `rows`.
    `items` counts groups, rejected ones included: puts = items - rejected_items + split_items,
    where `split_items` are the puts of a group after its first.
    `truncated_items` lost `dropped_elements` because they were too large. `rejects` has at most
    REJECT_EXAMPLES items, and one entry per reason for rows without a key; the shard
    `reject_shard` has all items.
    `out_of_range` is a key with a wrong value in the partition column; all counts are then 0.
    `seconds` runs from the partition's first rows in Python until its file is written: grouping,
    writing, and the wait for the rows between. `wait_seconds` is the task's wait before its first
    partition, 0 for the others: Spark sorts the rows of a whole query before it passes any on, so
    it includes the query's time.
    """

    partition: int | None
    rows: int = 0
    keyless_rows: int = 0
    items: int = 0
    rejected_items: int = 0
    rejects: list[Reject] = field(default_factory=list)
    largest_size: int = 0
    largest_key: str | None = None
    part: Part | None = None
    out_of_range: str = ""
    reject_shard: str | None = None
    rows_read: int = 0
    seconds: float = 0.0
    wait_seconds: float = 0.0
    split_items: int = 0
    truncated_items: int = 0
    dropped_elements: int = 0

    def to_json(self) -> str:
        return json.dumps(asdict(self))
