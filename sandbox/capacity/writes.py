"""A write of one item: its charges, and what is known of the item afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sandbox.capacity.admission import Table
from sandbox.capacity.costs import (
    Charge,
    delete_charges,
    key_text,
    put_charges,
    replacing_charges,
    update_charges,
)
from sandbox.capacity.sizes import Item


class Write(NamedTuple):
    """`new`: what the item costs by itself; empty if it is deleted, None if that is unknown."""

    table: Table
    key: tuple[str, ...]
    charges: list[Charge]
    new: Sequence[Charge] | None

    def remember(self) -> None:
        """Note what the next write of the item replaces."""
        if self.new is None:
            self.table.known.pop(self.key, None)
        else:
            self.table.known[self.key] = self.new


def put(table: Table, item: Item) -> Write:
    key, new = _key(table, item), put_charges(table.schema, item)
    old = table.known.get(key)
    charges = replacing_charges(new, old) if old and old != new else new
    return Write(table, key, charges, new)


def delete(table: Table, item_key: Item) -> Write:
    key = _key(table, item_key)
    return Write(table, key, delete_charges(table.schema, item_key, table.known.get(key)), ())


def update(table: Table, request: Mapping[str, Any]) -> Write:
    charges, key = update_charges(table.schema, request), _key(table, request["Key"])
    return Write(table, key, replacing_charges(charges, table.known.get(key) or ()), None)


def _key(table: Table, item: Item) -> tuple[str, ...]:
    return tuple(key_text(item[name]) for name in table.schema.keys)
