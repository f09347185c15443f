from decimal import Decimal
from typing import Any

import pytest

from loader.capacity_setting import DEFAULT, CapacitySetting, capacity_setting


@pytest.mark.parametrize(
    ("value", "setting", "text"),
    [
        (2000, CapacitySetting(units=2000), "2000"),
        (" 2000 ", CapacitySetting(units=2000), "2000"),
        ("50%", CapacitySetting(percent=Decimal(50)), "50%"),
        ("12.50 %", CapacitySetting(percent=Decimal("12.5")), "12.5%"),
        ("100%", CapacitySetting(percent=Decimal(100)), "100%"),
        ("max", CapacitySetting(), "max"),
    ],
)
def test_a_capacity_is_a_number_a_share_or_max(
    value: Any, setting: CapacitySetting, text: str
) -> None:
    assert (capacity_setting(value), str(setting)) == (setting, text)


@pytest.mark.parametrize(
    "value",
    [0, -1, True, None, 1.5, "", "0%", "101%", "0.001%", "fast", "50 % of it", "٢", "1e3", [1]],
)
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  its whole text follows
        capacity_setting(value)
    rule = "be units per second as 2000, a share as 50%, or max"
    assert str(refused.value) == f"must {rule}, got {value}"


def test_half_of_the_capacity_is_the_default() -> None:
    assert str(DEFAULT) == "50%"
