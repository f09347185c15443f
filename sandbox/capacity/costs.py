"""What an operation charges to a table and to each of its indexes.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations

A write is charged by the larger of the old and the new item. The proxy knows the old ones that were
written through it; it takes any other put for a new item, and any other delete for one of the least
size, which is in each index. DynamoDB does not charge an index whose entry stays the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sandbox.capacity.schema import Index, Schema
from sandbox.capacity.sizes import Item, item_bytes, value_bytes, write_units

TABLE = ""


class Charge(NamedTuple):
    """Units of one operation on the table or an index, and the value of its partition key.

    A tuple for speed: there is one per item and index. A local index has none of its own capacity:
    `payer` is the table then.
    """

    resource: str
    payer: str
    units: float
    key: str


def put_charges(schema: Schema, item: Item) -> list[Charge]:
    size = item_bytes(item)
    table_key = key_text(item.get(schema.partition_key))
    charges = [Charge(TABLE, TABLE, write_units(size), table_key)]
    for index in schema.indexes:
        if all(name in item for name in index.keys):
            entry = size if index.projected is None else item_bytes(item, index.projected)
            charges.append(_index_charge(index, write_units(entry), item))
    return charges


def replacing_charges(new: Sequence[Charge], old: Sequence[Charge]) -> list[Charge]:
    """The charges of a put over an old item that cost `old`; without new ones, of a delete.

    An index entry whose key changes is deleted and written.
    """
    charges = {(charge.resource, charge.key): charge for charge in old}
    for charge in new:
        place = (charge.resource, charge.key)
        units = max(charge.units, charges[place].units) if place in charges else charge.units
        charges[place] = charge._replace(units=units)
    return list(charges.values())


def delete_charges(schema: Schema, key: Item, old: Sequence[Charge] | None) -> list[Charge]:
    """`old`: what the item cost; empty if there is none, None if that is unknown."""
    if old:
        return list(old)
    charges = [Charge(TABLE, TABLE, 1, key_text(key.get(schema.partition_key)))]
    if old is None:
        charges += [_index_charge(index, 1, key) for index in schema.indexes]
    return charges


def update_charges(schema: Schema, request: Mapping[str, Any]) -> list[Charge]:
    """By the key and the values of the request, which is a lower bound."""
    size = item_bytes(request["Key"])
    size += sum(map(value_bytes, (request.get("ExpressionAttributeValues") or {}).values()))
    key = key_text(request["Key"].get(schema.partition_key))
    return [Charge(TABLE, TABLE, write_units(size), key)]


def key_text(value: Mapping[str, Any] | None) -> str:
    """The value of a partition key as text; "" if it is unknown."""
    return str(next(iter(value.values()))) if value else ""


def _index_charge(index: Index, units: float, item: Item) -> Charge:
    payer = index.name if index.is_global else TABLE
    return Charge(index.name, payer, units, key_text(item.get(index.partition_key)))
