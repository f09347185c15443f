"""The part of a DescribeTable answer that a plan needs.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from loader.pace.report import TABLE

Key = Sequence[tuple[str, str]]
# Names of the rates that are provisioned, the maximum on demand, and warm.
WRITES = ("WriteCapacityUnits", "MaxWriteRequestUnits", "WriteUnitsPerSecond")
READS = ("ReadCapacityUnits", "MaxReadRequestUnits", "ReadUnitsPerSecond")


@dataclass(frozen=True)
class Throughput:
    """Write or read units per second; None if unknown, not set, or not of this billing mode.

    `provisioned` is paid for, `most` is the maximum set for an on-demand table, and `warm` is
    the rate that the table accepts immediately.
    """

    provisioned: int | None = None
    most: int | None = None
    warm: int | None = None


@dataclass(frozen=True)
class Index:
    """A secondary index; a local one uses the throughput of the table.

    `included` has the attributes named by a projection INCLUDE. The first `partition_attributes`
    of `key` are the partition key, the others the sort key.
    """

    name: str
    is_global: bool
    key: tuple[tuple[str, str], ...]
    projection: str
    included: tuple[str, ...] = ()
    throughput: Throughput = Throughput()
    partition_attributes: int = 1


@dataclass(frozen=True)
class TableDescription:
    """A table; `key` has (name, attribute type), `replicas` counts its other Regions.

    `arn`, `table_id` and `created` (ISO 8601, UTC) are empty if DynamoDB does not give them.
    `throughput` is of writes, `reads` of reads. DynamoDB counts `items` and their `bytes` about
    every six hours.
    """

    name: str
    key: tuple[tuple[str, str], ...]
    status: str
    on_demand: bool
    throughput: Throughput = Throughput()
    indexes: tuple[Index, ...] = ()
    infrequent_access: bool = False
    replicas: int = 0
    arn: str = ""
    table_id: str = ""
    created: str = ""
    reads: Throughput = Throughput()
    items: int = 0
    bytes: int = 0

    @property
    def write_throughputs(self) -> dict[str, Throughput]:
        """The throughput of the table (`TABLE`) and of each global index, by name.

        A local index uses that of the table.
        """
        indexes = {index.name: index.throughput for index in self.indexes if index.is_global}
        return {TABLE: self.throughput, **indexes}


def read_description(name: str, table: Mapping[str, Any]) -> TableDescription:
    """Read `Table` of an answer; a table without a BillingModeSummary was never on demand."""
    types = {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}
    billing = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    table_class = table.get("TableClassSummary", {}).get("TableClass", "STANDARD")
    return TableDescription(
        name,
        _key(table, types),
        table["TableStatus"],
        billing == "PAY_PER_REQUEST",
        _throughput(table),
        tuple(
            _index(index, types, is_global)
            for kind, is_global in (
                ("GlobalSecondaryIndexes", True),
                ("LocalSecondaryIndexes", False),
            )
            for index in table.get(kind, ())
        ),
        table_class == "STANDARD_INFREQUENT_ACCESS",
        len(table.get("Replicas", ())),
        table.get("TableArn", ""),
        table.get("TableId", ""),
        _utc(table.get("CreationDateTime")),
        _throughput(table, READS),
        table.get("ItemCount", 0),
        table.get("TableSizeBytes", 0),
    )


def _utc(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return f"{moment.astimezone(timezone.utc).isoformat(timespec='seconds')[:-6]}Z"


def _index(index: Mapping[str, Any], types: Mapping[str, str], is_global: bool) -> Index:
    projection = index["Projection"]
    return Index(
        index["IndexName"],
        is_global,
        _key(index, types),
        projection["ProjectionType"],
        tuple(projection.get("NonKeyAttributes", ())),
        _throughput(index),
        sum(element["KeyType"] == "HASH" for element in index["KeySchema"]),
    )


def _key(described: Mapping[str, Any], types: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Partition key, then sort key; a global index may have several attributes of each kind."""
    names = [
        element["AttributeName"]
        for kind in ("HASH", "RANGE")
        for element in described["KeySchema"]
        if element["KeyType"] == kind
    ]
    return tuple((name, types[name]) for name in names)


def _throughput(described: Mapping[str, Any], names: Sequence[str] = WRITES) -> Throughput:
    """An on-demand table has 0 units provisioned; -1 is a maximum that was removed."""

    def positive(group: str, name: str) -> int | None:
        value = described.get(group, {}).get(name) or 0
        return int(value) if value > 0 else None

    return Throughput(
        positive("ProvisionedThroughput", names[0]),
        positive("OnDemandThroughput", names[1]),
        positive("WarmThroughput", names[2]),
    )
