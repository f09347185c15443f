"""A plan: the counts of all partitions, the checks, and its file plan.json."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from loader.capacity_setting import DEFAULT, CapacitySetting
from loader.dbt.gate_result import Gate
from loader.dynamodb.description import TableDescription
from loader.dynamodb.estimate import Estimate
from loader.dynamodb.identity import TableIdentity
from loader.errors import Refused, StorageFailed, reason
from loader.plan.guards import GuardFacts, GuardLimits
from loader.plan.partition_result import PartitionResult, Reject
from loader.printable import short_key
from loader.settings import Settings
from loader.storage.changeset import Part
from loader.storage.location import Location
from loader.storage.rejects import REJECTED, Rejects
from loader.storage.unfinished import PLAN_FILE
from loader.warehouse.count_change import source_changed


@dataclass
class Plan:
    """A changeset and its counts, saved in the run's folder as plan.json.

    `key` has (name, DynamoDB type letter) of the partition key and the sort key. `seconds` is the
    wall time of the read and of the counts. `warehouse_rows_before` and `warehouse_keys` are
    counted when the read begins, `warehouse_rows_after` when it has ended. `described` is the table
    before the run, or None if it is missing; the changeset is for the table of this `identity`.
    `notes` are remarks on it. `attribute_types` has the DynamoDB type of every attribute that the
    export writes, in the order of the item's JSON. `settings` are the options of the run, without
    secrets; their paths are relative to `working_folder`, on the machine `host`. `warehouse` and
    `relation` name what was read. `base` is the serial of the state that the model was compared
    with, 0 without a state, and `base_run` its run; `folded` are the unfinished runs whose changes
    were taken into account. `full_estimate` is the cost of putting all items. `has_state` is
    whether anything is known of what the table has. `distributed`: its keys may be in other
    partitions than those of that state. `rows_version` is that of the state after the run.
    `declared_capacity` is the write capacity that the export allows, `role_arn` and `external_id`
    are those that it declares.
    """

    run: str
    export: str
    model: str
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
    identity: TableIdentity | None = None
    attribute_types: dict[str, str] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    working_folder: str = ""
    host: str = ""
    warehouse: str = ""
    relation: str = ""
    base: int = 0
    base_run: str = ""
    folded: list[str] = field(default_factory=list)
    full_estimate: Estimate | None = None
    limits: GuardLimits = field(default_factory=GuardLimits)
    has_state: bool = False
    distributed: bool = False
    rows_version: str = ""
    declared_capacity: CapacitySetting = DEFAULT
    role_arn: str = ""
    external_id: str = ""

    # pydantic: a plan of another version may have other fields.
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    @property
    def write_capacity(self) -> CapacitySetting:
        """That of the command line, before that of the export."""
        return self.settings.write_capacity or self.declared_capacity

    @property
    def source_changed(self) -> bool:
        """Whether the warehouse counted different rows before and after the read."""
        return source_changed(self.warehouse_rows_before, self.warehouse_rows_after)

    @property
    def rows(self) -> int:
        return sum(result.rows for result in self.partition_results)

    @property
    def rows_read(self) -> int:
        return sum(result.rows_read for result in self.partition_results)

    @property
    def same_rows(self) -> int:
        """Rows of unchanged keys, which the warehouse compared instead of the loader."""
        return sum(result.same_rows for result in self.partition_results)

    @property
    def keyless_rows(self) -> int:
        return sum(result.keyless_rows for result in self.partition_results)

    @property
    def items(self) -> int:
        return sum(result.items for result in self.partition_results)

    @property
    def rejected_items(self) -> int:
        return sum(result.rejected_items for result in self.partition_results)

    @property
    def split_items(self) -> int:
        """Puts of a group after its first."""
        return sum(result.split_items for result in self.partition_results)

    @property
    def new(self) -> int:
        """Items whose key the state does not have."""
        return sum(result.new for result in self.partition_results)

    @property
    def changed(self) -> int:
        """Items that differ from those of the state."""
        return sum(result.changed for result in self.partition_results)

    @property
    def rewritten(self) -> int:
        """Items that are put although they may be unchanged."""
        return sum(result.rewritten for result in self.partition_results)

    @property
    def unchanged(self) -> int:
        """Items that are not put, because the table has them."""
        return sum(result.unchanged for result in self.partition_results)

    @property
    def puts(self) -> int:
        return self.new + self.changed + self.rewritten

    @property
    def deletes(self) -> int:
        """Keys of the state that the model no longer has, without those held back."""
        return sum(result.deletes for result in self.partition_results)

    @property
    def held_back(self) -> int:
        """Deletes that are left out because of rows without a key."""
        return sum(result.held_back for result in self.partition_results)

    @property
    def kept(self) -> int:
        """Keys of the state whose item was rejected: the table keeps the old one."""
        return sum(result.kept for result in self.partition_results)

    @property
    def state_keys(self) -> int:
        """Keys that the table has before the run, as far as the state knows."""
        return sum(result.state_keys for result in self.partition_results)

    @property
    def keys_after(self) -> int:
        """Keys that the table has after the run."""
        return sum(result.state.keys for result in self.partition_results if result.state)

    @property
    def full_write_units(self) -> int:
        """Write units of all items."""
        return sum(result.full_write_units for result in self.partition_results)

    def key_examples(self, kind: str) -> list[str]:
        """Some keys that are `new`, `changed` or `deleted`."""
        return [key for result in self.partition_results for key in getattr(result, f"{kind}_keys")]

    @property
    def guard_facts(self) -> GuardFacts:
        """What the guards compare with the limits."""
        return GuardFacts(
            export=self.export,
            model=self.model,
            table=self.table,
            rows=self.rows_read + self.same_rows,
            keys=self.state_keys if self.has_state else None,
            new=self.new,
            changed=self.changed,
            deletes=self.deletes,
            deleted_keys=[short_key(key) for key in self.key_examples("deleted")],
            changed_keys=[short_key(key) for key in self.key_examples("changed")],
        )

    def hold_back_deletes(self) -> None:
        """Leave out the deletes: a row without a key could be of any key."""
        for result in self.partition_results:
            result.hold_back_deletes()

    @property
    def truncated_items(self) -> int:
        return sum(result.truncated_items for result in self.partition_results)

    @property
    def dropped_elements(self) -> int:
        return sum(result.dropped_elements for result in self.partition_results)

    @property
    def parts(self) -> list[Part]:
        parts = (result.part for result in self.partition_results)
        return [part for part in parts if part and part.changes]

    @property
    def changes(self) -> int:
        return sum(part.changes for part in self.parts)

    @property
    def write_units(self) -> int:
        return sum(part.write_units for part in self.parts)

    @property
    def rejects(self) -> list[Reject]:
        return [reject for result in self.partition_results for reject in result.rejects]

    @property
    def reject_shards(self) -> list[str]:
        """The reject shards that the plan's tasks wrote."""
        return [result.reject_shard for result in self.partition_results if result.reject_shard]

    def keyless_lines(self, rejects: Rejects) -> Iterator[dict[str, Any]]:
        """The lines of rejects.jsonl for rows without a key, one per partition and reason."""
        for result in self.partition_results:
            for reject in result.rejects:
                if reject.key is None:
                    yield rejects.line(REJECTED, result.partition, None, reject.rows, reject.reason)

    @property
    def largest(self) -> tuple[str | None, int]:
        """Key and bytes of the largest item."""
        sizes = [(result.largest_key, result.largest_size) for result in self.partition_results]
        return max(sizes, key=lambda item: item[1], default=(None, 0))

    def largest_items(self, most: int) -> list[tuple[str, int]]:
        """Key and bytes of the largest item of each partition, largest first."""
        sizes = [(r.largest_key, r.largest_size) for r in self.partition_results if r.largest_key]
        return sorted(sizes, key=lambda item: item[1], reverse=True)[:most]

    @property
    def fullest_partition(self) -> tuple[int | None, int]:
        """Number and rows of the partition with the most rows; (None, 0) without rows."""
        rows: Counter[int | None] = Counter()
        for result in self.partition_results:
            rows[result.partition] += result.rows
        return max(rows.items(), key=lambda entry: entry[1], default=(None, 0))

    @property
    def skew(self) -> float:
        """Rows of the fullest partition divided by the mean of all partitions."""
        return self.fullest_partition[1] * self.partitions / self.rows if self.rows else 0.0

    def save(self, folder: Location) -> None:
        folder.write(PLAN_FILE, json.dumps(asdict(self), indent=1, default=str).encode())


def partition_results(outcomes: Iterable[str]) -> list[PartitionResult]:
    """The results in the JSON documents that plan tasks returned."""
    from pydantic import TypeAdapter

    documents = [json.loads(outcome) for outcome in outcomes]
    return TypeAdapter(list[PartitionResult]).validate_python(documents)


def load_plan(folder: Location) -> Plan:
    """The plan saved in a run's folder; raises `Refused` if there is none."""
    from pydantic import TypeAdapter, ValidationError

    try:
        # Not pydantic's parser of JSON, which refuses a lone surrogate in a key.
        plan = TypeAdapter(Plan).validate_python(json.loads(folder.read(PLAN_FILE)))
    except (FileNotFoundError, NotADirectoryError):
        raise Refused(
            f"DIR must be the folder of a run with its {PLAN_FILE}, got {folder}: "
            "give the folder that `loader plan` or a load with --keep printed"
        ) from None
    except StorageFailed as error:
        raise Refused(f"cannot read the run in {folder}: {error.cause}. {error.remedy}") from None
    except ValidationError as error:
        fields = dict.fromkeys(".".join(map(str, e["loc"])) or "plan" for e in error.errors())
        cause = f"wrong fields ({', '.join(fields)})"
    except ValueError as error:
        cause = f"not JSON ({reason(error)})"
    else:
        if plan.identity is not None:
            return plan
        cause = "no identity of the table"
    raise Refused(
        f"{folder}/{PLAN_FILE} must be a plan of this version of the loader, got {cause}: "
        "run `loader plan` again"
    )
