"""Admits the operations of one request, and collects what it consumed and what was refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.capacity.admission import Refusal, Table
from sandbox.capacity.costs import TABLE, Charge
from sandbox.capacity.limits import PROVISIONED
from sandbox.capacity.log import Log

DYNAMODB = "com.amazonaws.dynamodb.v20120810#"
AVAILABILITY = "com.amazon.coral.availability#"


@dataclass
class _Counts:
    """Of one table: units by resource, units by payer, refused items by payer and reason."""

    consumed: Counter[str] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)
    refused: Counter[Refusal] = field(default_factory=Counter)


class Meter:
    def __init__(self, log: Log, operation: str, who: str, now: float) -> None:
        self._log, self._operation, self._who, self._now = log, operation, who, now
        self._counts: dict[str, _Counts] = {}
        self._tables: dict[str, Table] = {}

    def admit(self, table: Table, charges: list[Charge]) -> bool:
        """Charge an operation, or note why it is refused."""
        counts = self._of(table)
        if refusals := table.refusals(self._operation, charges, self._now):
            counts.refused.update(set(refusals))
            return False
        self.charge(table, charges)
        return True

    def charge(self, table: Table, charges: Iterable[Charge]) -> None:
        """Charge without asking, such as the rest of a read, whose size the answer shows."""
        counts = self._of(table)
        for charge in charges:
            counts.consumed[charge.resource] += charge.units  # type: ignore[assignment]
            counts.paid[charge.payer] += charge.units  # type: ignore[assignment]
        if table.take(self._operation, charges, self._now):
            for (operation, resource), units in table.allowed().items():
                self._log.allow(self._now, table.name_of(resource), operation, units)

    def record(self) -> None:
        """Write the request to the log, once."""
        for name, counts in self._counts.items():
            table = self._tables[name]
            refusing = {refusal.resource for refusal in counts.refused}
            for resource in {TABLE, *counts.paid, *refusing}:
                use = self._log.use(self._now, table.name_of(resource), self._operation, self._who)
                use.add_units(counts.paid[resource], self._log.time(self._now))
                use.requests += 1
                use.throttled += bool(refusing) if resource == TABLE else resource in refusing
                for refusal, items in counts.refused.items():
                    if refusal.resource == resource:
                        use.refused[table.reason(refusal, self._operation)] += items

    def record_rest(self, table: Table, charges: list[Charge]) -> None:
        """Charge and log what only the answer showed."""
        self.charge(table, charges)
        for charge in charges:
            use = self._log.use(self._now, table.name_of(charge.payer), self._operation, self._who)
            use.add_units(charge.units, self._log.time(self._now))

    def consumed(self, level: str) -> list[dict[str, Any]]:
        """`ConsumedCapacity` of each table, for ReturnConsumedCapacity TOTAL or INDEXES."""
        return [_consumed(self._tables[n], c, level) for n, c in self._counts.items()]

    def error(self) -> dict[str, Any]:
        """The body of the throttling error of a request of which nothing was admitted."""
        refused = [
            (self._tables[name], refusal)
            for name, counts in self._counts.items()
            for refusal in sorted(counts.refused)
        ]
        reasons = [
            {
                "reason": table.reason(refusal, self._operation),
                "resource": table.schema.arn_of(refusal.resource),
            }
            for table, refusal in refused
        ]
        # The reasons are spelled as in the API's model of each error.
        if refused[0][0].limits.mode == PROVISIONED:
            return {
                "__type": f"{DYNAMODB}ProvisionedThroughputExceededException",
                "message": "The level of configured provisioned throughput for one or more global "
                "secondary indexes of the table was exceeded."
                if refused[0][1].resource
                else "The level of configured provisioned throughput for the table was exceeded.",
                "ThrottlingReasons": reasons,
            }
        return {
            "__type": f"{AVAILABILITY}ThrottlingException",
            "message": "Throughput exceeds the current capacity of your table or index.",
            "throttlingReasons": reasons,
        }

    def _of(self, table: Table) -> _Counts:
        name = table.schema.table
        self._tables[name] = table
        return self._counts.setdefault(name, _Counts())


def _consumed(table: Table, counts: _Counts, level: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "TableName": table.schema.table,
        "CapacityUnits": float(sum(counts.consumed.values())),
    }
    if level != "INDEXES":
        return entry
    entry["Table"] = {"CapacityUnits": float(counts.consumed[TABLE])}
    for index in table.schema.indexes:
        if index.name in counts.consumed:
            kind = "GlobalSecondaryIndexes" if index.is_global else "LocalSecondaryIndexes"
            units = float(counts.consumed[index.name])
            entry.setdefault(kind, {})[index.name] = {"CapacityUnits": units}
    return entry
