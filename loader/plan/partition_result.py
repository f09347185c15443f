"""The counts of one partition of a plan, as a task returns them and plan.json keeps them."""

import json
from dataclasses import asdict, dataclass, field, replace

from loader.storage.changeset import Part
from loader.storage.state_part import StatePart

KEY_EXAMPLES = 5  # keys of each kind of change that a plan shows


@dataclass
class Reject:
    """Rows that are not written, and why; `key` is None if it is NULL."""

    reason: str
    rows: int
    key: str | None = None


@dataclass
class PartitionResult:
    """Rows, items and changes of one partition, its changeset file and its state after it.

    rows = rows of its items + rows without a key. Rows without a key have their own result, in
    addition to that of the partition's items. `rows_read` is counted separately, before rows are
    grouped, and is in the partition's first result. `same_rows` are those of keys whose rows are
    the same as in the last run; they are compared in the warehouse and not read. Over all results
    rows_read + same_rows = rows.
    `items` counts groups, rejected ones included: items + split_items = new + changed + rewritten
    + unchanged + rejected_items, where `split_items` are the items of a group after its first.
    `rewritten` items are put although they may be unchanged: their key is in doubt, or the plan
    puts everything. `state_keys` had the table before; new keys are not among them. `deletes` are
    the keys of the state that no item has, except for those `kept` because their item was rejected.
    `held_back` are deletes that are left out because a row without a key may be theirs.
    `full_write_units` are those of all items.
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
    same_rows: int = 0
    seconds: float = 0.0
    wait_seconds: float = 0.0
    split_items: int = 0
    truncated_items: int = 0
    dropped_elements: int = 0
    new: int = 0
    changed: int = 0
    rewritten: int = 0
    unchanged: int = 0
    deletes: int = 0
    held_back: int = 0
    kept: int = 0
    state_keys: int = 0
    full_write_units: int = 0
    new_keys: list[str] = field(default_factory=list)
    changed_keys: list[str] = field(default_factory=list)
    deleted_keys: list[str] = field(default_factory=list)
    state: StatePart | None = None

    def hold_back_deletes(self) -> None:
        """Leave out the deletes: their keys stay in the table and in the state."""
        if self.deletes and self.part and self.state:
            self.part = self.part.without_deletes()
            self.state = replace(self.state, keys=self.state.keys + self.deletes)
            self.held_back, self.deletes = self.deletes, 0

    def to_json(self) -> str:
        return json.dumps(asdict(self))
