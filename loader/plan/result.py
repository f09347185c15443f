"""What a plan found: the account of each partition and of the whole, and its file plan.json."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from loader.dbt.gate import Gate
from loader.dynamodb.description import TableDescription
from loader.dynamodb.estimate import Estimate
from loader.errors import Refused, reason
from loader.storage.changeset import Part
from loader.storage.location import Location
from loader.storage.rejects import REJECTED, Rejects
from loader.warehouse.counts import source_changed

FILE = "plan.json"


@dataclass
class Reject:
    """Rows that no item was written for: `rows` of them, with one reason; no key for a NULL key."""

    reason: str
    rows: int
    key: str | None = None


@dataclass
class PartitionResult:
    """The account of one partition: rows = rows of its items + rows without a key.

    Rows without a key have an account of their own, beside that of the partition's items.
    `rows_read` is counted by itself, before rows are grouped, and is in the first account of the
    partition: over all accounts it must be `rows`.
    `items` counts groups, the rejected ones included. A group is one put, or one reject; a group
    that is split makes `split_items` puts more: puts = items - rejected_items + split_items.
    `truncated_items` lost `dropped_elements` because they were too large. `rejects` has at most 100
    items, the part `rejects_file` (storage/rejects) has all; rows without a key are in `rejects`
    only, one entry a reason.
    `misplaced` is set, and nothing else counts, where the partition column has a wrong value.
    `seconds` runs from the partition's first rows in Python to its file being written: grouping,
    writing, and the wait for the rows between. `wait_seconds` is what the task waited before its
    first partition, 0 for the others: Spark sorts the rows of a whole query before it gives any,
    so the query's own time is in there.
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
    rejects_file: str | None = None
    rows_read: int = 0
    seconds: float = 0.0
    wait_seconds: float = 0.0
    split_items: int = 0
    truncated_items: int = 0
    dropped_elements: int = 0

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, document: str) -> "PartitionResult":
        return cls.from_dict(json.loads(document))

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "PartitionResult":
        rejects = [Reject(**reject) for reject in fields["rejects"]]
        part = Part.from_dict(fields["part"]) if fields["part"] else None
        return cls(**{**fields, "rejects": rejects, "part": part})


@dataclass
class Plan:
    """A changeset and its account, as saved in plan.json beside it.

    `key` has (name, DynamoDB type letter) of the partition key and the sort key. `seconds` is the
    wall time of the read and of the counts. Times are UTC.

    `warehouse_rows_before` and `warehouse_keys` were counted when the read began,
    `warehouse_rows_after` when it had ended. `described` is the table as the plan found it, None
    where there was none. `notes` are what a person should know though it stops nothing.
    """

    run: str
    export: str
    source: str
    table: str
    key: list[tuple[str, str]]
    partitions: int
    queries: int
    seconds: float
    partition_results: list[PartitionResult]
    region: str = ""
    warehouse_rows_before: int | None = None
    warehouse_keys: int | None = None
    warehouse_rows_after: int | None = None
    dbt_gate: Gate = field(default_factory=Gate)
    described: TableDescription | None = None
    notes: list[str] = field(default_factory=list)
    estimate: Estimate | None = None

    @property
    def source_changed(self) -> bool:
        """Whether the warehouse counted other rows after the read than before it."""
        return source_changed(self.warehouse_rows_before, self.warehouse_rows_after)

    @property
    def rows(self) -> int:
        return sum(account.rows for account in self.partition_results)

    @property
    def rows_read(self) -> int:
        return sum(account.rows_read for account in self.partition_results)

    @property
    def keyless_rows(self) -> int:
        return sum(account.keyless_rows for account in self.partition_results)

    @property
    def items(self) -> int:
        return sum(account.items for account in self.partition_results)

    @property
    def rejected_items(self) -> int:
        return sum(account.rejected_items for account in self.partition_results)

    @property
    def split_items(self) -> int:
        """Puts beyond the first one of a group."""
        return sum(account.split_items for account in self.partition_results)

    @property
    def truncated_items(self) -> int:
        return sum(account.truncated_items for account in self.partition_results)

    @property
    def dropped_elements(self) -> int:
        return sum(account.dropped_elements for account in self.partition_results)

    @property
    def parts(self) -> list[Part]:
        return [
            account.part
            for account in self.partition_results
            if account.part and account.part.changes
        ]

    @property
    def changes(self) -> int:
        return sum(part.changes for part in self.parts)

    @property
    def write_units(self) -> int:
        return sum(part.write_units for part in self.parts)

    @property
    def rejects(self) -> list[Reject]:
        return [reject for account in self.partition_results for reject in account.rejects]

    @property
    def rejects_files(self) -> list[str]:
        """The parts of rejects.jsonl that the plan's tasks wrote."""
        return [account.rejects_file for account in self.partition_results if account.rejects_file]

    def keyless_lines(self, rejects: Rejects) -> Iterator[dict[str, Any]]:
        """The lines of rejects.jsonl for rows without a key, one a partition and reason."""
        for account in self.partition_results:
            for reject in account.rejects:
                if reject.key is None:
                    yield rejects.line(
                        REJECTED, account.partition, None, reject.rows, reject.reason
                    )

    @property
    def largest(self) -> tuple[str | None, int]:
        """Key and bytes of the largest item."""
        best = max(self.partition_results, key=lambda a: a.largest_size, default=None)
        return (best.largest_key, best.largest_size) if best else (None, 0)

    def largest_items(self, most: int) -> list[tuple[str, int]]:
        """Key and bytes of the largest item of each partition, the largest of them first."""
        known = [(a.largest_key, a.largest_size) for a in self.partition_results if a.largest_key]
        return sorted(known, key=lambda item: item[1], reverse=True)[:most]

    @property
    def fullest_partition(self) -> tuple[int | None, int]:
        """Number and rows of the partition that has most rows; (None, 0) where there is no row."""
        rows: Counter[int | None] = Counter()
        for account in self.partition_results:
            rows[account.partition] += account.rows
        return max(rows.items(), key=lambda one: one[1], default=(None, 0))

    @property
    def skew(self) -> float:
        """Rows of the fullest partition, as a multiple of the mean of all partitions."""
        return self.fullest_partition[1] * self.partitions / self.rows if self.rows else 0.0

    def save(self, folder: Location) -> None:
        folder.write(FILE, json.dumps(asdict(self), indent=1).encode())


def load_plan(folder: Location) -> Plan:
    """The plan saved in a run's folder; `Refused` when there is none."""
    try:
        fields = json.loads(folder.read(FILE))
    except (FileNotFoundError, NotADirectoryError):
        raise Refused(
            f"--changeset must be the folder of a run with its {FILE}, got {folder}: "
            "give the folder that `loader plan` or a load with --keep printed"
        ) from None
    except OSError as error:
        raise Refused(
            f"--changeset must be a folder that can be read, got {folder} ({reason(error)}): "
            "check the address and the permission to read it"
        ) from None
    except ValueError as error:
        raise _unreadable(folder, error) from None
    try:
        partition_results = [
            PartitionResult.from_dict(account) for account in fields.pop("partition_results")
        ]
        key = [(name, letter) for name, letter in fields.pop("key")]
        gate, described = fields.pop("dbt_gate"), fields.pop("described")
        estimate = fields.pop("estimate")
        return Plan(
            **fields,
            key=key,
            partition_results=partition_results,
            dbt_gate=Gate(**gate),
            described=TableDescription.from_dict(described) if described else None,
            estimate=Estimate(**estimate) if estimate else None,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(folder, error) from None


def _unreadable(folder: Location, error: Exception) -> Refused:
    return Refused(
        f"{folder}/{FILE} must be a plan of this version of the loader, got "
        f"{type(error).__name__} {error}: run `loader plan` again"
    )
