"""The operations that the proxy understands: what of a request is admitted, and its answer.

Each takes a request apart when it is made. `error` is the answer if nothing of it was admitted;
`forward` is the request that replaces it, if something was refused; `finish` completes the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sandbox.capacity.admission import READ, WRITE, Table
from sandbox.capacity.costs import TABLE, Charge, key_text
from sandbox.capacity.meter import Meter
from sandbox.capacity.sizes import Item, item_bytes, read_units
from sandbox.capacity.writes import Write, delete, put, update

Request = Mapping[str, Any]
Tables = Mapping[str, Table]


class Operation(Protocol):
    error: dict[str, Any] | None
    forward: dict[str, Any] | None

    def finish(self, answer: dict[str, Any]) -> dict[str, Any]: ...


class BatchWrite:
    """BatchWriteItem: what finds no capacity is returned in UnprocessedItems."""

    def __init__(self, request: Request, tables: Tables, meter: Meter) -> None:
        self._request, self._meter = request, meter
        self._refused: dict[str, list[Any]] = {}
        admitted: dict[str, list[Any]] = {}
        for name, changes in request["RequestItems"].items():
            table = tables[name]
            for change in changes:
                write = _write_of(table, change)
                fits = meter.admit(table, write.charges)
                if fits:
                    write.remember()
                (admitted if fits else self._refused).setdefault(name, []).append(change)
        meter.record()
        self.error = None if admitted else meter.error()
        self.forward = {**request, "RequestItems": admitted} if self._refused else None

    def finish(self, answer: dict[str, Any]) -> dict[str, Any]:
        unprocessed = dict(answer.get("UnprocessedItems") or {})
        for name, changes in self._refused.items():
            unprocessed[name] = [*unprocessed.get(name, ()), *changes]
        capacity = _capacity(self._request, self._meter.consumed)
        return {**answer, "UnprocessedItems": unprocessed, **capacity}


class SingleWrite:
    """PutItem, DeleteItem or UpdateItem."""

    forward: dict[str, Any] | None = None

    def __init__(self, request: Request, tables: Tables, meter: Meter) -> None:
        self._request, self._meter = request, meter
        table = tables[request["TableName"]]
        self._write = _single_write_of(table, request)
        admitted = meter.admit(table, self._write.charges)
        meter.record()
        self.error = None if admitted else meter.error()

    def finish(self, answer: dict[str, Any]) -> dict[str, Any]:
        self._write.remember()
        capacity = _capacity(self._request, lambda level: self._meter.consumed(level)[0])
        return {**answer, **capacity}


class SingleRead:
    """GetItem, Scan or Query: admitted if there is any credit, charged when the answer shows it.

    A Scan or Query is not held against key ranges: one page can be of several. A read of some
    attributes or with a filter is charged by what it returned, and costs more in DynamoDB.
    """

    forward: dict[str, Any] | None = None

    def __init__(self, request: Request, tables: Tables, meter: Meter) -> None:
        self._request, self._meter = request, meter
        self._table = tables[request["TableName"]]
        index = request.get("IndexName") or TABLE
        payer = index if (READ, index) in self._table.allowed() else TABLE
        self._least = Charge(
            index,
            payer,
            read_units(0, consistent=self._is_consistent),
            key_text((request.get("Key") or {}).get(self._table.schema.partition_key)),
        )
        admitted = meter.admit(self._table, [self._least])
        meter.record()
        self.error = None if admitted else meter.error()

    @property
    def _is_consistent(self) -> bool:
        return bool(self._request.get("ConsistentRead"))

    def finish(self, answer: dict[str, Any]) -> dict[str, Any]:
        items = answer.get("Items", [answer["Item"]] if "Item" in answer else [])
        units = read_units(sum(map(item_bytes, items)), consistent=self._is_consistent)
        rest = self._least._replace(units=units - self._least.units)
        self._meter.record_rest(self._table, [rest])
        capacity = _capacity(self._request, lambda level: self._meter.consumed(level)[0])
        return {**answer, **capacity}


class BatchGet:
    """BatchGetItem: keys that find no capacity are returned in UnprocessedKeys."""

    def __init__(self, request: Request, tables: Tables, meter: Meter) -> None:
        self._request, self._tables, self._meter = request, tables, meter
        self._refused: dict[str, Any] = {}
        admitted: dict[str, Any] = {}
        for name, wanted in request["RequestItems"].items():
            least = _least_of(wanted)
            for key in wanted["Keys"]:
                value = key_text(key.get(tables[name].schema.partition_key))
                fits = meter.admit(tables[name], [Charge(TABLE, TABLE, least, value)])
                side = admitted if fits else self._refused
                side.setdefault(name, {**wanted, "Keys": []})["Keys"].append(key)
        meter.record()
        self.error = None if admitted else meter.error()
        self.forward = {**request, "RequestItems": admitted} if self._refused else None

    def finish(self, answer: dict[str, Any]) -> dict[str, Any]:
        for name, items in (answer.get("Responses") or {}).items():
            wanted = self._request["RequestItems"][name]
            rest = [self._rest(self._tables[name], wanted, item) for item in items]
            self._meter.record_rest(self._tables[name], rest)
        unprocessed = dict(answer.get("UnprocessedKeys") or {})
        for name, refused in self._refused.items():
            keys = [*unprocessed.get(name, {}).get("Keys", ()), *refused["Keys"]]
            unprocessed[name] = {**refused, "Keys": keys}
        capacity = _capacity(self._request, self._meter.consumed)
        return {**answer, "UnprocessedKeys": unprocessed, **capacity}

    @staticmethod
    def _rest(table: Table, wanted: Request, item: Item) -> Charge:
        units = read_units(item_bytes(item), consistent=bool(wanted.get("ConsistentRead")))
        value = key_text(item.get(table.schema.partition_key))
        return Charge(TABLE, TABLE, units - _least_of(wanted), value)


def _write_of(table: Table, change: Request) -> Write:
    if "PutRequest" in change:
        return put(table, change["PutRequest"]["Item"])
    return delete(table, change["DeleteRequest"]["Key"])


def _single_write_of(table: Table, request: Request) -> Write:
    if "Item" in request:
        return put(table, request["Item"])
    if "UpdateExpression" in request or "AttributeUpdates" in request:
        return update(table, request)
    return delete(table, request["Key"])


def _least_of(wanted: Request) -> float:
    return read_units(0, consistent=bool(wanted.get("ConsistentRead")))


def _capacity(request: Request, consumed: Callable[[str], Any]) -> dict[str, Any]:
    level = request.get("ReturnConsumedCapacity", "NONE")
    return {} if level == "NONE" else {"ConsumedCapacity": consumed(level)}


OPERATIONS: dict[str, tuple[str, Callable[[Request, Tables, Meter], Operation]]] = {
    "BatchWriteItem": (WRITE, BatchWrite),
    "PutItem": (WRITE, SingleWrite),
    "DeleteItem": (WRITE, SingleWrite),
    "UpdateItem": (WRITE, SingleWrite),
    "GetItem": (READ, SingleRead),
    "Scan": (READ, SingleRead),
    "Query": (READ, SingleRead),
    "BatchGetItem": (READ, BatchGet),
}


def table_names(request: Request) -> list[str]:
    """The tables of a request; raises KeyError if it names none."""
    if "RequestItems" in request:
        return list(request["RequestItems"])
    return [request["TableName"]]
