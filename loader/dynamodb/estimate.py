"""What a changeset of puts will cost: write units, seconds and dollars, with what is assumed.

Units: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
Indexes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from loader.dynamodb.checks import unwritten_key
from loader.dynamodb.description import Index, TableDescription, Throughput
from loader.dynamodb.prices import Price

# A new on-demand table or index takes 4,000 write units a second at once:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput-scenarios.html
NEW_ON_DEMAND = 4_000


@dataclass(frozen=True)
class Written:
    """What a plan is going to put.

    `write_units` are those of the table itself; `attribute_types` the DynamoDB type letter of
    each attribute; `bulky_attributes` those attributes that may hold most of an item.
    """

    items: int
    write_units: int
    attribute_types: Mapping[str, str]
    bulky_attributes: frozenset[str]


@dataclass
class Estimate:
    """Write units of the table and of each index; `rate` is the units a second that bound it.

    `assumptions` are lines for a person.
    """

    write_units: int
    table_units: int
    index_units: dict[str, int]
    rate: int
    seconds: float
    dollars: float
    price_region: str
    assumptions: list[str] = field(default_factory=list)


def estimate(written: Written, table: TableDescription, price: Price) -> Estimate:
    """What putting these items into the table costs, where DynamoDB and not the loader is slow."""
    index_units = {index.name: units_of_index(index, written) for index in table.indexes}
    total = written.write_units + sum(index_units.values())
    seconds, rate, why = _slowest(table, written.write_units, index_units)
    if table.on_demand:
        dollars = total / 1e6 * price.million_write_units
        unit, remark = f"${price.million_write_units:g} per million write units on demand", ""
    else:
        hourly = sum(t.provisioned or 0 for t in _provisioned(table))
        dollars = hourly * seconds / 3600 * price.provisioned_unit_hour
        unit = f"{hourly:,} provisioned write units at ${price.provisioned_unit_hour:g} an hour"
        remark = "; they are paid for whether used or not"
    return Estimate(
        write_units=total,
        table_units=written.write_units,
        index_units=index_units,
        rate=rate,
        seconds=seconds,
        dollars=dollars,
        price_region=price.region,
        assumptions=[
            why,
            f"{unit} in {price.region}, as of {price.date}{remark}",
            *_doubts(table, index_units, price),
        ],
    )


def units_of_index(index: Index, written: Written) -> int:
    """Write units that the index takes at most; an entry is charged by what is projected into it.

    Entries of keys and small attributes take 1 write unit each.
    """
    if unwritten_key(index, written.attribute_types):
        return 0
    if index.projection == "ALL" or written.bulky_attributes.intersection(index.included):
        return written.write_units
    return written.items


def _slowest(
    table: TableDescription, units: int, index_units: Mapping[str, int]
) -> tuple[float, int, str]:
    """Seconds, units a second and their reason, of the table or that index which takes longest.

    A local index writes from the table's throughput, a global one has its own; an index that is
    full holds up the table (the back-pressure in the page of GSI.html).
    """
    local = sum(index_units[index.name] for index in table.indexes if not index.is_global)
    bounds = [("the table", units + local, table.throughput)]
    bounds += [
        (f"index {index.name}", index_units[index.name], index.throughput)
        for index in table.indexes
        if index.is_global
    ]
    timed = []
    for name, load, throughput in bounds:
        rate, why = rate_of(throughput, table.on_demand)
        timed.append((load / rate, rate, f"{name} takes {rate:,} write units a second ({why})"))
    return max(timed, key=lambda bound: bound[0])


def rate_of(throughput: Throughput, on_demand: bool) -> tuple[int, str]:
    """Write units a second and why: what is provisioned, or warm, or allowed at most."""
    if not on_demand:
        return throughput.provisioned or 1, "provisioned"
    rate, why = NEW_ON_DEMAND, "as any new one on demand"
    if throughput.warm:
        rate, why = throughput.warm, "its warm throughput"
    if throughput.most and throughput.most < rate:
        rate, why = throughput.most, "its maximum on demand"
    return rate, why


def _provisioned(table: TableDescription) -> Iterable[Throughput]:
    yield table.throughput
    yield from (index.throughput for index in table.indexes if index.is_global)


def _doubts(table: TableDescription, index_units: Mapping[str, int], price: Price) -> Iterable[str]:
    if price.region != price.asked:
        yield f"no price of {price.asked} is known: {price.region}'s is taken; give one by --prices"
    if price.doubt:
        yield price.doubt
    yield "no item that is replaced is larger than the new one"
    for name, units in index_units.items():
        if units:
            yield f"index {name} takes at most {units:,} of the write units"
    if table.infrequent_access:
        yield "the Standard price is taken; the table is Standard-IA, whose writes cost more"
    if table.replicas:
        yield f"the writes in {table.replicas} more regions of the global table are not counted"
