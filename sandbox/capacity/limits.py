"""The limits of a table and of its global indexes: defaults, changes and checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from sandbox.capacity.buckets import GROWTH_SECONDS
from sandbox.capacity.costs import TABLE

PROVISIONED, ON_DEMAND = "provisioned", "on_demand"

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
PARTITION_WRITE, PARTITION_READ = 1_000.0, 3_000.0
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
ACCOUNT_UNITS = 40_000.0
# What a new on-demand table sustains.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html
NEW_WRITE, NEW_READ = 4_000.0, 12_000.0


@dataclass(frozen=True)
class Limits:
    """Limits of a table or a global index, in units per second; None: no limit.

    `write`, `read`: the provisioned capacity, or what an on-demand table sustains now. The latter
    is hidden from clients. `max_*` is the on-demand maximum and `warm_*` the warm throughput that
    DescribeTable shows. `partitions` is the number of key ranges; None: none is enforced.
    """

    write: float | None = None
    read: float | None = None
    max_write: float | None = None
    max_read: float | None = None
    warm_write: float | None = None
    warm_read: float | None = None
    account_write: float | None = ACCOUNT_UNITS
    account_read: float | None = ACCOUNT_UNITS
    partitions: int | None = None
    partition_write: float = PARTITION_WRITE
    partition_read: float = PARTITION_READ


@dataclass(frozen=True)
class TableLimits:
    """The limits of a table and its global indexes; the name "" is the table.

    `burst`: whether 300 seconds of unused provisioned capacity are kept. `growth_seconds`: the
    period after which on-demand capacity doubles.
    """

    mode: str
    resources: Mapping[str, Limits]
    burst: bool = True
    growth_seconds: float = GROWTH_SECONDS


LIMIT_NAMES = frozenset(field.name for field in fields(Limits))


def described_limits(description: Mapping[str, Any]) -> TableLimits:
    """The limits of a table by the `Table` of an answer of DescribeTable."""
    billing = (description.get("BillingModeSummary") or {}).get("BillingMode")
    mode = ON_DEMAND if billing == "PAY_PER_REQUEST" else PROVISIONED
    resources = {TABLE: _described(description, mode)}
    for index in description.get("GlobalSecondaryIndexes") or ():
        resources[index["IndexName"]] = _described(index, mode)
    return TableLimits(mode, resources)


def changed_limits(limits: TableLimits, change: Mapping[str, Any]) -> TableLimits:
    """Limits after a change such as {"write": 500, "indexes": {"by_mail": {"write": 250}}}.

    Raises ValueError for an unknown name or a wrong value.
    """
    change = dict(change)
    mode = change.pop("mode", limits.mode)
    if mode not in (PROVISIONED, ON_DEMAND):
        raise ValueError(f"mode must be {PROVISIONED} or {ON_DEMAND}, got {mode!r}")
    burst = bool(change.pop("burst", limits.burst))
    growth_seconds = change.pop("growth_seconds", limits.growth_seconds)
    _require_positive("growth_seconds", growth_seconds)
    resources = dict(limits.resources)
    for name, index_change in {**change.pop("indexes", {}), TABLE: change}.items():
        if name not in resources:
            raise ValueError(f"the index must exist, got {name!r}")
        resources[name] = _changed(resources[name], index_change)
    return TableLimits(mode, resources, burst, growth_seconds)


def updated_limits(limits: TableLimits, request: Mapping[str, Any]) -> TableLimits:
    """Limits after an UpdateTable."""
    billing = request.get("BillingMode")
    mode = {"PAY_PER_REQUEST": ON_DEMAND, "PROVISIONED": PROVISIONED}.get(billing or "")
    updates = [(TABLE, request)]
    for update in request.get("GlobalSecondaryIndexUpdates") or ():
        updates += [(entry["IndexName"], entry) for entry in update.values()]
    resources = dict(limits.resources)
    for name, entry in updates:
        if name in resources:
            becomes_on_demand = mode == ON_DEMAND != limits.mode
            resources[name] = _updated(resources[name], entry, becomes_on_demand=becomes_on_demand)
    return replace(limits, mode=mode or limits.mode, resources=resources)


def overlaid(description: Mapping[str, Any], limits: TableLimits) -> dict[str, Any]:
    """The `Table` of a DescribeTable with these limits."""
    ours = ("OnDemandThroughput", "WarmThroughput")
    table = {name: value for name, value in description.items() if name not in ours}
    table |= _shown(limits.resources[TABLE], limits.mode)
    billing = "PAY_PER_REQUEST" if limits.mode == ON_DEMAND else "PROVISIONED"
    table["BillingModeSummary"] = {
        **(table.get("BillingModeSummary") or {}),
        "BillingMode": billing,
    }
    if indexes := description.get("GlobalSecondaryIndexes"):
        table["GlobalSecondaryIndexes"] = [
            {**index, **_shown(limits.resources[index["IndexName"]], limits.mode)}
            for index in indexes
            if index["IndexName"] in limits.resources
        ]
    return table


def _described(entry: Mapping[str, Any], mode: str) -> Limits:
    if mode == PROVISIONED:
        provisioned = entry.get("ProvisionedThroughput") or {}
        write, read = (provisioned.get(n) for n in ("WriteCapacityUnits", "ReadCapacityUnits"))
        return Limits(write=write or None, read=read or None)
    maximum = entry.get("OnDemandThroughput") or {}
    return Limits(
        write=NEW_WRITE,
        read=NEW_READ,
        max_write=_maximum(maximum.get("MaxWriteRequestUnits")),
        max_read=_maximum(maximum.get("MaxReadRequestUnits")),
    )


def _updated(limits: Limits, entry: Mapping[str, Any], *, becomes_on_demand: bool) -> Limits:
    change: dict[str, float | None] = {}
    if becomes_on_demand:
        change["write"] = max(NEW_WRITE, limits.write or 0)
        change["read"] = max(NEW_READ, limits.read or 0)
    if provisioned := entry.get("ProvisionedThroughput"):
        change["write"] = provisioned["WriteCapacityUnits"]
        change["read"] = provisioned["ReadCapacityUnits"]
    for name, key in {
        "max_write": "MaxWriteRequestUnits",
        "max_read": "MaxReadRequestUnits",
    }.items():
        if key in (entry.get("OnDemandThroughput") or {}):
            change[name] = _maximum(entry["OnDemandThroughput"][key])
    for name, key in {"write": "WriteUnitsPerSecond", "read": "ReadUnitsPerSecond"}.items():
        if warm := (entry.get("WarmThroughput") or {}).get(key):
            change[f"warm_{name}"] = warm
            change[name] = max(warm, getattr(limits, name) or 0)
    return replace(limits, **change)  # type: ignore[arg-type]


def _maximum(units: float | None) -> float | None:
    """-1 removes a maximum."""
    return None if units is None or units < 0 else units


def _changed(limits: Limits, change: Mapping[str, Any]) -> Limits:
    for name, value in change.items():
        if name not in LIMIT_NAMES:
            raise ValueError(f"a limit must be one of {sorted(LIMIT_NAMES)}, got {name!r}")
        if value is not None or name.startswith("partition_"):
            _require_positive(name, value)
    return replace(limits, **change)


def _require_positive(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError(f"{name} must be a number above 0, got {value!r}")


def _shown(limits: Limits, mode: str) -> dict[str, Any]:
    """What DescribeTable shows of a table or an index."""
    shown: dict[str, Any] = {
        "ProvisionedThroughput": {
            "NumberOfDecreasesToday": 0,
            "ReadCapacityUnits": int(limits.read or 0) if mode == PROVISIONED else 0,
            "WriteCapacityUnits": int(limits.write or 0) if mode == PROVISIONED else 0,
        }
    }
    if mode == ON_DEMAND and (limits.max_write or limits.max_read):
        shown["OnDemandThroughput"] = {
            "MaxReadRequestUnits": int(limits.max_read or -1),
            "MaxWriteRequestUnits": int(limits.max_write or -1),
        }
    if limits.warm_write or limits.warm_read:
        shown["WarmThroughput"] = {
            "ReadUnitsPerSecond": int(limits.warm_read or NEW_READ),
            "WriteUnitsPerSecond": int(limits.warm_write or NEW_WRITE),
            "Status": "ACTIVE",
        }
    return shown
