"""The units per second that a run may use of a table and each of its global indexes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from loader.capacity_setting import CapacitySetting
from loader.dynamodb.description import TableDescription, Throughput
from loader.pace.ceiling import Ceiling
from loader.pace.report import TABLE

# Write units per second that a new on-demand table or index accepts at once:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput-scenarios.html
NEW_ON_DEMAND = 4_000


@dataclass(frozen=True)
class AllowedRate:
    """The limit of the table or of a global index, and where it comes from.

    `rate` is where a run begins, and `most` what it may rise to; a rate of None means no limit.
    """

    resource: str
    rate: float | None
    most: float
    reason: str

    def __str__(self) -> str:
        name = f"index {self.resource}" if self.resource else "table"
        if self.rate is None:
            return f"{name}: no limit, because {self.reason}"
        found = "" if self.rate == self.most else " at first"
        return f"{name}: {self.rate:,.0f} units/s{found}, {self.reason}"


def write_rates(setting: CapacitySetting, table: TableDescription) -> list[AllowedRate]:
    """The limits of the table and its global indexes; a local index uses those of the table."""
    return [
        _allowed(setting, name, throughput, table.on_demand, NEW_ON_DEMAND)
        for name, throughput in table.write_throughputs.items()
    ]


def read_rates(setting: CapacitySetting, table: TableDescription) -> list[AllowedRate]:
    """The limit of the table; a run reads no index."""
    return [_allowed(setting, TABLE, table.reads, table.on_demand)]


def writes_text(rates: Sequence[AllowedRate]) -> str:
    """The limits of a run in one line, the table first."""
    table, *indexes = rates
    others = [f"index {i.resource}: {i.rate:,.0f}" for i in indexes if i.rate is not None]
    shown = f" ({', '.join(others)})" if others else ""
    if table.rate is None:
        return f"writes without a limit: {table.reason}{shown}"
    found = "" if table.rate == table.most else " at first"
    return f"writes at most {table.rate:,.0f} WCU/s{found}: {table.reason}{shown}"


def ceilings(rates: Iterable[AllowedRate]) -> dict[str, Ceiling]:
    """Those that have a limit, for an allowance."""
    return {r.resource: Ceiling(r.rate, r.most) for r in rates if r.rate is not None}


def _allowed(
    setting: CapacitySetting,
    resource: str,
    throughput: Throughput,
    on_demand: bool,
    first: int | None = None,
) -> AllowedRate:
    """`first` is where `max` begins if the capacity is unknown."""
    known, why = _capacity(throughput, on_demand)
    hard = throughput.most if on_demand else throughput.provisioned
    if setting.units is not None:
        if hard and hard < setting.units:
            return AllowedRate(resource, hard, hard, f"which are {why}")
        return AllowedRate(resource, setting.units, setting.units, f"as set: {setting}")
    if setting.percent is None:
        known = known or first
    if known is None:
        reason = f"its capacity is unknown, of which {setting} is allowed"
        return AllowedRate(resource, None, inf, reason)
    if setting.percent is not None:
        rate = float(known * setting.percent / 100)
        return AllowedRate(resource, rate, rate, f"{setting} of the {known:,} that are {why}")
    # Provisioned capacity has a burst of 300 seconds.
    start = min(known, throughput.warm or known) if on_demand else known
    most = float(throughput.most or inf) if on_demand else inf
    reason = "then all that it accepts" if start < most else f"which are {why}"
    return AllowedRate(resource, start, most, reason)


def _capacity(throughput: Throughput, on_demand: bool) -> tuple[int | None, str]:
    """Units per second, if the table states any, and what they are."""
    if not on_demand:
        return throughput.provisioned, "provisioned"
    if throughput.most:
        return throughput.most, "its maximum on demand"
    return throughput.warm, "its warm throughput"
