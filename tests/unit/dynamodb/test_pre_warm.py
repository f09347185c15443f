from dataclasses import replace

import pytest

from loader.dynamodb.description import Index, TableDescription, Throughput
from loader.dynamodb.pre_warm import PreWarming, pre_warm_problems, pre_warming
from loader.dynamodb.prices import Price

KEY = (("id", "S"),)
PRICE = Price("us-east-1", "us-east-1", 0.625, 0.00065, "2026-07-30", "", warm_unit=0.00065)
TABLE = TableDescription(
    "items",
    KEY,
    "ACTIVE",
    on_demand=True,
    throughput=Throughput(warm=6_000),
    indexes=(
        Index("by_mail", True, KEY, "ALL", throughput=Throughput(warm=12_000)),
        Index("by_name", True, KEY, "ALL"),
        Index("by_day", False, KEY, "ALL"),
    ),
)


def test_the_table_and_the_global_indexes_that_have_less_are_raised_for_the_difference() -> None:
    warming = pre_warming(10_000, TABLE, PRICE)

    assert warming == PreWarming("items", 10_000, {"": 6_000, "by_name": 4_000}, PRICE)
    assert warming.dollars == pytest.approx(10_000 * 0.00065)
    assert str(warming) == (
        "table items from 6,000, index by_name from 4,000 to 10,000 warm write units/s for about "
        "$6.50, once ($0.00065 per unit in us-east-1; check it, the price was not confirmed at its "
        "source)"
    )


def test_without_a_price_the_cost_is_not_guessed() -> None:
    warming = pre_warming(10_000, TABLE, replace(PRICE, warm_unit=None))

    assert warming.dollars is None
    assert str(warming).endswith(
        "to 10,000 warm write units/s at a price that the price list does not have for us-east-1"
    )


@pytest.mark.parametrize(
    ("units", "is_confirmed", "table", "problems"),
    [
        (10_000, True, TABLE, []),
        (4_000, False, TABLE, []),
        (
            10_000,
            False,
            TABLE,
            [
                "--pre-warm must be confirmed, because it costs money and cannot be undone, got no "
                "--yes: add --yes to raise table items from 6,000, index by_name from 4,000 to "
                "10,000 warm write units/s for about $6.50, once ($0.00065 per unit in us-east-1; "
                "check it, the price was not confirmed at its source)"
            ],
        ),
        (
            10_000,
            True,
            replace(TABLE, on_demand=False, throughput=Throughput(provisioned=2_000)),
            [
                "--pre-warm must be for a table on demand, got table items with 2,000 provisioned "
                "write units: raise those, or load without --pre-warm"
            ],
        ),
        (
            10_000,
            True,
            replace(TABLE, throughput=Throughput(most=3_000)),
            [
                "--pre-warm must be at most the maximum on demand of table items, 3,000, got "
                "10000: raise the maximum first, or pre-warm less"
            ],
        ),
    ],
)
def test_a_raise_that_is_not_confirmed_or_of_no_use_is_refused_with_its_cost(
    units: int, is_confirmed: bool, table: TableDescription, problems: list[str]
) -> None:
    assert list(pre_warm_problems(units, is_confirmed, table, PRICE)) == problems
