from math import inf

import pytest

from loader.capacity_setting import capacity_setting
from loader.dynamodb.allowed_rates import (
    AllowedRate,
    ceilings,
    read_rates,
    write_rates,
    writes_text,
)
from loader.dynamodb.description import Index, TableDescription, Throughput
from loader.pace.ceiling import Ceiling

PROVISIONED = Throughput(provisioned=2_000, warm=4_000)
ON_DEMAND = Throughput(warm=6_000)
CAPPED = Throughput(most=3_000, warm=4_000)
UNKNOWN = Throughput()


def rate(setting: str, throughput: Throughput, on_demand: bool = True) -> AllowedRate:
    table = TableDescription("t", (("id", "S"),), "ACTIVE", on_demand, throughput)
    return write_rates(capacity_setting(setting), table)[0]


@pytest.mark.parametrize(
    ("allowed", "limits", "text"),
    [
        (rate("50%", PROVISIONED, False), (1_000, 1_000),
         "table: 1,000 units/s, 50% of the 2,000 that are provisioned"),
        (rate("50%", CAPPED), (1_500, 1_500),
         "table: 1,500 units/s, 50% of the 3,000 that are its maximum on demand"),
        (rate("50%", ON_DEMAND), (3_000, 3_000),
         "table: 3,000 units/s, 50% of the 6,000 that are its warm throughput"),
        (rate("50%", UNKNOWN), (None, inf),
         "table: no limit, because its capacity is unknown, of which 50% is allowed"),
        (rate("500", PROVISIONED, False), (500, 500), "table: 500 units/s, as set: 500"),
        (rate("2500", PROVISIONED, False), (2_000, 2_000),
         "table: 2,000 units/s, which are provisioned"),
        (rate("9000", CAPPED), (3_000, 3_000),
         "table: 3,000 units/s, which are its maximum on demand"),
        (rate("9000", ON_DEMAND), (9_000, 9_000), "table: 9,000 units/s, as set: 9000"),
        (rate("500", UNKNOWN), (500, 500), "table: 500 units/s, as set: 500"),
        (rate("max", PROVISIONED, False), (2_000, inf),
         "table: 2,000 units/s at first, then all that it accepts"),
        (rate("max", ON_DEMAND), (6_000, inf),
         "table: 6,000 units/s at first, then all that it accepts"),
        (rate("max", CAPPED), (3_000, 3_000), 
         "table: 3,000 units/s, which are its maximum on demand"),
        (rate("max", UNKNOWN), (4_000, inf),
         "table: 4,000 units/s at first, then all that it accepts"),
    ],
)  # fmt: skip
def test_the_limit_follows_from_what_the_table_states(
    allowed: AllowedRate, limits: tuple[float | None, float], text: str
) -> None:
    assert ((allowed.rate, allowed.most), str(allowed)) == (limits, text)


def test_each_global_index_has_a_limit_of_its_own_and_a_read_has_that_of_the_table() -> None:
    key = (("id", "S"),)
    table = TableDescription(
        "t", key, "ACTIVE", False, PROVISIONED,
        (
            Index("by_item", True, key, "ALL", throughput=Throughput(provisioned=1_000)),
            Index("by_day", False, key, "ALL"),
        ),
        reads=Throughput(provisioned=300),
    )  # fmt: skip
    half = capacity_setting("50%")

    written = write_rates(half, table)

    assert [str(limit) for limit in written] == [
        "table: 1,000 units/s, 50% of the 2,000 that are provisioned",
        "index by_item: 500 units/s, 50% of the 1,000 that are provisioned",
    ]
    assert ceilings(written) == {"": Ceiling(1_000, 1_000), "by_item": Ceiling(500, 500)}
    assert ceilings(read_rates(half, table)) == {"": Ceiling(150, 150)}
    assert ceilings([rate("50%", UNKNOWN)]) == {}


@pytest.mark.parametrize(
    ("setting", "throughput", "text"),
    [
        ("max", UNKNOWN,
         "writes at most 4,000 WCU/s at first: then all that it accepts (index by_mail: 1,000)"),
        ("50%", PROVISIONED,
         "writes at most 1,000 WCU/s: 50% of the 2,000 that are provisioned (index by_mail: 500)"),
        ("max", PROVISIONED,
         "writes at most 2,000 WCU/s at first: then all that it accepts (index by_mail: 1,000)"),
        ("50%", UNKNOWN,
         "writes without a limit: its capacity is unknown, of which 50% is allowed "
         "(index by_mail: 500)"),
    ],
)  # fmt: skip
def test_the_limits_of_a_run_are_one_sentence(
    setting: str, throughput: Throughput, text: str
) -> None:
    key = (("id", "S"),)
    index = Index("by_mail", True, key, "ALL", throughput=Throughput(provisioned=1_000))
    table = TableDescription("t", key, "ACTIVE", False, throughput, (index,))

    assert writes_text(write_rates(capacity_setting(setting), table)) == text
