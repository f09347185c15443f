"""The keys and indexes of a table, from the answer of DescribeTable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Index:
    """A secondary index. `projected` has the names of its attributes; None means all."""

    name: str
    is_global: bool
    partition_key: str
    keys: tuple[str, ...]
    projected: frozenset[str] | None


@dataclass(frozen=True)
class Schema:
    table: str
    arn: str
    keys: tuple[str, ...]
    indexes: tuple[Index, ...] = ()

    @property
    def partition_key(self) -> str:
        return self.keys[0]

    def arn_of(self, index: str) -> str:
        """The ARN of an index; "" is the table."""
        return f"{self.arn}/index/{index}" if index else self.arn


def read_schema(description: Mapping[str, Any]) -> Schema:
    """From the `Table` of an answer."""
    keys = _keys(description)
    indexes = [
        _index(entry, keys, is_global=kind.startswith("Global"))
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
        for entry in description.get(kind) or ()
    ]
    return Schema(description["TableName"], description.get("TableArn", ""), keys, tuple(indexes))


def _index(entry: Mapping[str, Any], table_keys: tuple[str, ...], *, is_global: bool) -> Index:
    keys = _keys(entry)
    projection = entry.get("Projection") or {}
    projected = None
    if projection.get("ProjectionType", "ALL") != "ALL":
        names = projection.get("NonKeyAttributes") or ()
        projected = frozenset((*keys, *table_keys, *names))
    return Index(entry["IndexName"], is_global, keys[0], keys, projected)


def _keys(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The attributes of a key, the partition key first."""
    schema = sorted(entry["KeySchema"], key=lambda key: key["KeyType"])
    return tuple(key["AttributeName"] for key in schema)
