"""Admits or refuses the operations on one table, and charges those that it admits."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sandbox.capacity.buckets import BURST_SECONDS, NO_BURST_SECONDS, Growth, TokenBucket
from sandbox.capacity.costs import TABLE, Charge
from sandbox.capacity.limits import ON_DEMAND, PROVISIONED, Limits, TableLimits
from sandbox.capacity.schema import Schema

READ, WRITE = "Read", "Write"

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ThrottlingReason.html
PROVISIONED_EXCEEDED = "ProvisionedThroughputExceeded"
KEY_RANGE_EXCEEDED = "KeyRangeThroughputExceeded"
MAXIMUM_EXCEEDED = "MaxOnDemandThroughputExceeded"
ACCOUNT_EXCEEDED = "AccountLimitExceeded"


class Refusal(NamedTuple):
    """A limit that refused an operation; `resource` "" is the table."""

    resource: str
    limit: str


class Gate:
    """What a table or a global index admits of its reads or its writes."""

    def __init__(self, operation: str, limits: TableLimits, resource: str, now: float) -> None:
        self._operation = operation
        self._buckets: dict[str, TokenBucket] = {}
        self._ranges: list[TokenBucket] = []
        self._growth: Growth | None = None
        self.change(limits, resource, now)

    @property
    def allowed(self) -> float | None:
        """Units per second that can be sustained with many keys; None: no limit."""
        rates = [bucket.rate for bucket in self._buckets.values()]
        rates += [sum(bucket.rate for bucket in self._ranges)] if self._ranges else []
        return min(rates, default=None)

    def refusals(self, key: str, now: float) -> list[str]:
        """The limits that have no credit now; any of them refuses the operation."""
        refused = [n for n, bucket in self._buckets.items() if not bucket.has_credit(now)]
        if self._ranges and key and not self._range(key).has_credit(now):
            refused.append(KEY_RANGE_EXCEEDED)
        return list(dict.fromkeys(refused))

    def take(self, key: str, units: float, now: float) -> bool:
        """Charge an admitted operation; True if on-demand capacity has grown."""
        for bucket in self._buckets.values():
            bucket.take(units)
        if self._ranges and key:
            self._range(key).take(units)
        if not (self._growth and self._growth.add(units, now)):
            return False
        self._buckets[KEY_RANGE_EXCEEDED].change(self._growth.ceiling, NO_BURST_SECONDS, now)
        return True

    def change(self, limits: TableLimits, resource: str, now: float) -> None:
        """Follow changed limits; a bucket keeps what it holds."""
        own = limits.resources[resource]
        seconds = BURST_SECONDS if limits.burst and limits.mode == PROVISIONED else NO_BURST_SECONDS
        rates = self._rates(own, limits.mode)
        self._buckets = {
            name: _changed(self._buckets.get(name), rate, seconds, now)
            for name, rate in rates.items()
        }
        ceiling = rates.get(KEY_RANGE_EXCEEDED)
        self._growth = Growth(ceiling, now, limits.growth_seconds) if ceiling else None
        count = own.partitions or 0
        before: list[TokenBucket | None] = [*self._ranges]
        before = before if len(before) == count else [None] * count
        rate = self._of(own, "partition")
        self._ranges = [_changed(b, rate or 0, NO_BURST_SECONDS, now) for b in before]

    def _rates(self, limits: Limits, mode: str) -> dict[str, float]:
        """The rate of each limit.

        What an on-demand table sustains is a limit of its partitions, so the reason is theirs.
        """
        if mode == ON_DEMAND:
            named = {
                MAXIMUM_EXCEEDED: self._of(limits, "max"),
                ACCOUNT_EXCEEDED: self._of(limits, "account"),
                KEY_RANGE_EXCEEDED: self._of(limits, ""),
            }
        else:
            named = {PROVISIONED_EXCEEDED: self._of(limits, "")}
        return {name: rate for name, rate in named.items() if rate is not None}

    def _of(self, limits: Limits, kind: str) -> float | None:
        rate: float | None = getattr(limits, f"{kind}_{self._operation.lower()}".lstrip("_"))
        return rate

    def _range(self, key: str) -> TokenBucket:
        return self._ranges[zlib.crc32(key.encode()) % len(self._ranges)]


class Table:
    """The gates of a table and its global indexes."""

    def __init__(self, schema: Schema, limits: TableLimits, now: float) -> None:
        self.schema, self.limits = schema, limits
        # What the items that were written last cost, by key; empty: deleted.
        self.known: dict[tuple[str, ...], Sequence[Charge]] = {}
        self._gates = {
            (operation, resource): Gate(operation, limits, resource, now)
            for operation in (READ, WRITE)
            for resource in limits.resources
        }

    def change(self, limits: TableLimits, now: float) -> None:
        self.limits = limits
        for (_, resource), gate in self._gates.items():
            gate.change(limits, resource, now)

    def refusals(self, operation: str, charges: Iterable[Charge], now: float) -> list[Refusal]:
        """All limits that refuse; a write of an item is refused if one of its indexes refuses."""
        return [
            Refusal(charge.payer, limit)
            for charge in charges
            for limit in self._gates[operation, charge.payer].refusals(charge.key, now)
        ]

    def take(self, operation: str, charges: Iterable[Charge], now: float) -> bool:
        """Charge an admitted operation; True if on-demand capacity has grown."""
        grown = [
            self._gates[operation, charge.payer].take(charge.key, charge.units, now)
            for charge in charges
        ]
        return any(grown)

    def allowed(self) -> dict[tuple[str, str], float | None]:
        """Units per second by operation and resource."""
        return {key: gate.allowed for key, gate in self._gates.items()}

    def reason(self, refusal: Refusal, operation: str) -> str:
        return f"{'Index' if refusal.resource else 'Table'}{operation}{refusal.limit}"

    def name_of(self, resource: str) -> str:
        """The name of the table or an index in the log."""
        return f"{self.schema.table}/index/{resource}" if resource != TABLE else self.schema.table


def _changed(bucket: TokenBucket | None, rate: float, seconds: float, now: float) -> TokenBucket:
    if bucket is None:
        return TokenBucket(rate, seconds, now)
    bucket.change(rate, seconds, now)
    return bucket
