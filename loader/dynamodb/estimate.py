"""The cost of a changeset of puts in write units, seconds and dollars, with the assumptions.

Units: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
Indexes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from loader.capacity_setting import CapacitySetting
from loader.dynamodb.allowed_rates import NEW_ON_DEMAND, write_rates
from loader.dynamodb.description import Index, TableDescription, Throughput
from loader.dynamodb.prices import Price
from loader.dynamodb.table_rules import unwritten_key
from loader.pace.report import TABLE


@dataclass(frozen=True)
class PlannedPuts:
    """The puts of a plan.

    `write_units` excludes the indexes, `attribute_types` has the DynamoDB type of each attribute,
    and `bulky_attributes` are those that may make up most of an item. If the sizes of replaced
    items are known, the write units are those of the larger item.
    """

    items: int
    write_units: int
    attribute_types: Mapping[str, str]
    bulky_attributes: frozenset[str]
    replaced_sizes_known: bool = False


@dataclass
class Estimate:
    """`rate` is in write units per second; `write_units` = `table_units` + all `index_units`."""

    write_units: int
    table_units: int
    index_units: dict[str, int]
    rate: int
    seconds: float
    dollars: float
    price_region: str
    assumptions: list[str] = field(default_factory=list)


def estimate(
    puts: PlannedPuts,
    table: TableDescription,
    price: Price,
    allowed: CapacitySetting = CapacitySetting(),  # noqa: B008  it is frozen
) -> Estimate:
    """The cost of these puts, if DynamoDB or the allowed capacity is the bottleneck."""
    index_units = {index.name: units_of_index(index, puts) for index in table.indexes}
    total = puts.write_units + sum(index_units.values())
    seconds, rate, bottleneck = _slowest(table, puts.write_units, index_units, allowed)
    if table.on_demand:
        dollars = total / 1e6 * price.million_write_units
        unit, remark = f"${price.million_write_units:g} per million write units on demand", ""
    else:
        hourly = sum(throughput.provisioned or 0 for throughput in table.write_throughputs.values())
        dollars = hourly * seconds / 3600 * price.provisioned_unit_hour
        unit = f"{hourly:,} provisioned write units at ${price.provisioned_unit_hour:g} per hour"
        remark = ", paid for whether used or not"
    return Estimate(
        write_units=total,
        table_units=puts.write_units,
        index_units=index_units,
        rate=rate,
        seconds=seconds,
        dollars=dollars,
        price_region=price.region,
        assumptions=[
            bottleneck,
            f"{unit} in {price.region}, as of {price.date}{remark}",
            *_caveats(puts, table, index_units, price),
        ],
    )


def unit_ratios(table: TableDescription, estimate: Estimate) -> dict[str, float]:
    """What the table and each global index consume per write unit of the items, at most.

    A local index consumes the units of the table.
    """
    if not estimate.table_units:
        return {}
    indexes = {i.name: estimate.index_units.get(i.name, 0) for i in table.indexes if i.is_global}
    local = sum(estimate.index_units.values()) - sum(indexes.values())
    units = {TABLE: estimate.table_units + local, **indexes}
    return {name: value / estimate.table_units for name, value in units.items()}


def units_of_index(index: Index, puts: PlannedPuts) -> int:
    """The most write units that the index consumes, which depend on its projection.

    An entry of keys and small attributes takes 1 write unit.
    """
    if unwritten_key(index, puts.attribute_types):
        return 0
    if index.projection == "ALL" or puts.bulky_attributes.intersection(index.included):
        return puts.write_units
    return puts.items


def _slowest(
    table: TableDescription,
    units: int,
    index_units: Mapping[str, int],
    allowed: CapacitySetting,
) -> tuple[float, int, str]:
    """Seconds, units per second and their source, for the table or index that takes longest.

    A local index uses the throughput of the table, a global one has its own; a throttled index
    throttles the table (back-pressure, see GSI.html above).
    """
    local = sum(index_units[index.name] for index in table.indexes if not index.is_global)
    durations = []
    resources = zip(table.write_throughputs.items(), write_rates(allowed, table), strict=True)
    for (resource, throughput), limit in resources:
        name = f"index {resource}" if resource else "the table"
        load = index_units[resource] if resource else units + local
        accepted, why = rate_of(throughput, table.on_demand)
        text = f"{name} accepts {accepted:,} write units per second ({why})"
        rate: float = accepted
        if limit.rate is not None and limit.rate < accepted:
            rate = limit.rate
            text = f"{name} may use {rate:,.0f} write units per second ({limit.reason})"
        durations.append((load / rate, max(1, round(rate)), text))
    return max(durations, key=lambda duration: duration[0])


def rate_of(
    throughput: Throughput, on_demand: bool, otherwise: int = NEW_ON_DEMAND
) -> tuple[int, str]:
    """Units per second, and whether that is provisioned, warm, the maximum or a default."""
    if not on_demand:
        return throughput.provisioned or 1, "provisioned"
    rate, why = otherwise, "the default of new on-demand tables"
    if throughput.warm:
        rate, why = throughput.warm, "its warm throughput"
    if throughput.most and throughput.most < rate:
        rate, why = throughput.most, "its maximum on demand"
    return rate, why


def _caveats(
    puts: PlannedPuts, table: TableDescription, index_units: Mapping[str, int], price: Price
) -> Iterable[str]:
    if price.region != price.asked:
        yield f"no price for {price.asked}, used that of {price.region}: set one with --prices"
    if price.doubt:
        yield price.doubt
    if not puts.replaced_sizes_known:
        yield "no replaced item is larger than the new one"
    for name, units in index_units.items():
        if units:
            yield f"index {name} takes at most {units:,} of the write units"
    if table.infrequent_access:
        yield "priced as class Standard; the table is Standard-IA, whose writes cost more"
    if table.replicas:
        yield f"the writes in {table.replicas} more Regions of the global table are not counted"
