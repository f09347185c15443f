from dataclasses import replace

import pytest

from loader.capacity_setting import capacity_setting
from loader.dynamodb.description import Index, TableDescription, Throughput
from loader.dynamodb.estimate import (
    Estimate,
    PlannedPuts,
    estimate,
    rate_of,
    unit_ratios,
    units_of_index,
)
from loader.dynamodb.prices import Price

PRICE = Price("us-east-1", "us-east-1", 0.625, 0.00065, "2026-07-30", "https://example.com")
TABLE = TableDescription("items", (("user_id", "S"),), "ACTIVE", on_demand=True)
PUTS = PlannedPuts(
    items=1_000_000,
    write_units=2_000_000,
    attribute_types={"user_id": "S", "country": "S", "items": "L"},
    bulky_attributes=frozenset({"items"}),
)
BY_COUNTRY = Index("by_country", True, (("country", "S"),), "KEYS_ONLY")
REPLACED = "no replaced item is larger than the new one"
ON_DEMAND = "$0.625 per million write units on demand in us-east-1, as of 2026-07-30"
NEW = "the table accepts 4,000 write units per second (the default of new on-demand tables)"


def test_an_on_demand_table_is_paid_per_write_unit() -> None:
    assert estimate(PUTS, TABLE, PRICE) == Estimate(
        write_units=2_000_000,
        table_units=2_000_000,
        index_units={},
        rate=4_000,
        seconds=500.0,
        dollars=1.25,
        price_region="us-east-1",
        assumptions=[NEW, ON_DEMAND, REPLACED],
    )


def test_a_provisioned_table_is_paid_per_hour_with_its_global_indexes() -> None:
    index = replace(BY_COUNTRY, throughput=Throughput(provisioned=400))
    local = Index("local", False, (("user_id", "S"), ("country", "S")), "ALL")
    table = replace(
        TABLE, on_demand=False, throughput=Throughput(provisioned=1_000), indexes=(index, local)
    )

    cost = estimate(PUTS, table, PRICE)

    assert cost.index_units == {"by_country": 1_000_000, "local": 2_000_000}
    assert (cost.rate, cost.seconds) == (1_000, 4_000.0)  # table and local index: 4 million
    assert cost.dollars == pytest.approx(1_400 * 4_000 / 3600 * 0.00065)
    assert unit_ratios(table, cost) == {"": 2.0, "by_country": 0.5}
    assert cost.assumptions == [
        "the table accepts 1,000 write units per second (provisioned)",
        "1,400 provisioned write units at $0.00065 per hour in us-east-1, as of 2026-07-30, "
        "paid for whether used or not",
        REPLACED,
        "index by_country takes at most 1,000,000 of the write units",
        "index local takes at most 2,000,000 of the write units",
    ]


def test_an_index_that_is_slower_than_the_table_sets_the_time() -> None:
    slow = replace(BY_COUNTRY, throughput=Throughput(most=100))

    cost = estimate(PUTS, replace(TABLE, indexes=(slow,)), PRICE)

    assert (cost.write_units, cost.rate, cost.seconds) == (3_000_000, 100, 10_000.0)
    assert cost.assumptions[0] == (
        "index by_country accepts 100 write units per second (its maximum on demand)"
    )


@pytest.mark.parametrize(
    ("throughput", "on_demand", "rate"),
    [
        (Throughput(), True, (4_000, "the default of new on-demand tables")),
        (Throughput(warm=12_000), True, (12_000, "its warm throughput")),
        (Throughput(warm=12_000, most=500), True, (500, "its maximum on demand")),
        (Throughput(most=50_000), True, (4_000, "the default of new on-demand tables")),
        (Throughput(provisioned=7, warm=4_000), False, (7, "provisioned")),
    ],
)
def test_the_rate_is_the_provisioned_the_warm_or_the_maximum_throughput(
    throughput: Throughput, on_demand: bool, rate: tuple[int, str]
) -> None:
    assert rate_of(throughput, on_demand) == rate


@pytest.mark.parametrize(
    ("index", "units"),
    [
        (replace(BY_COUNTRY, projection="ALL"), 2_000_000),
        (BY_COUNTRY, 1_000_000),
        (replace(BY_COUNTRY, projection="INCLUDE", included=("country",)), 1_000_000),
        (replace(BY_COUNTRY, projection="INCLUDE", included=("items",)), 2_000_000),
        (replace(BY_COUNTRY, key=(("age", "N"),)), 0),
    ],
)
def test_the_projection_of_an_index_determines_its_write_units(index: Index, units: int) -> None:
    assert units_of_index(index, PUTS) == units


def test_an_estimate_lists_what_it_cannot_know() -> None:
    price = Price("us-east-1", "eu-north-1", 0.625, 0.00065, "2026-07-30", "", "may be 1 % off")
    table = replace(TABLE, infrequent_access=True, replicas=2)

    assert estimate(PUTS, table, price).assumptions[2:] == [
        "no price for eu-north-1, used that of us-east-1: set one with --prices",
        "may be 1 % off",
        REPLACED,
        "priced as class Standard; the table is Standard-IA, whose writes cost more",
        "the writes in 2 more Regions of the global table are not counted",
    ]


def test_a_plan_without_puts_costs_nothing() -> None:
    cost = estimate(PlannedPuts(0, 0, {}, frozenset()), TABLE, PRICE)

    assert (cost.write_units, cost.seconds, cost.dollars) == (0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("allowed", "rate", "why"),
    [
        ("50%", 500, "the table may use 500 write units per second (50% of the 1,000 that are "
         "provisioned)"),
        ("100", 100, "the table may use 100 write units per second (as set: 100)"),
        ("5000", 1_000, "the table accepts 1,000 write units per second (provisioned)"),
        ("max", 1_000, "the table accepts 1,000 write units per second (provisioned)"),
    ],
)  # fmt: skip
def test_a_load_takes_as_long_as_the_allowed_capacity_needs(
    allowed: str, rate: int, why: str
) -> None:
    table = replace(TABLE, on_demand=False, throughput=Throughput(provisioned=1_000))

    cost = estimate(PUTS, table, PRICE, capacity_setting(allowed))

    assert (cost.rate, cost.seconds, cost.assumptions[0]) == (rate, 2_000_000 / rate, why)
