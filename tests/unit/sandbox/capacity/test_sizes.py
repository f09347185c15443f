from __future__ import annotations

from base64 import b64encode
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.items import item_size
from sandbox.capacity.sizes import item_bytes, read_units, value_bytes, write_units


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "abc"}, 3),
        ({"S": ""}, 0),
        ({"S": "é€😀"}, 2 + 3 + 4),
        ({"N": "0"}, 1),
        ({"N": "7"}, 2),
        ({"N": "-7"}, 3),
        ({"N": "1234.5"}, 4),
        ({"N": "1000000"}, 2),
        ({"N": "0.00012"}, 2),
        ({"N": "1.5E+20"}, 2),
        ({"N": "9" * 38}, 20),
        ({"N": "-" + "9" * 38}, 21),
        ({"B": "AAEC"}, 3),
        ({"B": "AAE="}, 2),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "bc"]}, 3),
        ({"NS": ["1", "22"]}, 2 + 2),
        ({"BS": ["AA==", "AAEC"]}, 1 + 3),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"BOOL": True}]}, 3 + (1 + 2) + (1 + 1)),
        ({"M": {}}, 3),
        ({"M": {"key": {"S": "ab"}}}, 3 + (1 + 3 + 2)),
    ],
)
def test_a_value_has_the_documented_size(value: dict[str, Any], size: int) -> None:
    assert value_bytes(value) == size


TEXTS = st.text(max_size=20).map(lambda text: {"S": text})
BINARIES = st.binary(max_size=20).map(lambda data: {"B": b64encode(data).decode()})
VALUES = st.recursive(
    TEXTS | BINARIES | st.booleans().map(lambda value: {"BOOL": value}),
    lambda values: (
        st.lists(values, max_size=4).map(lambda elements: {"L": elements})
        | st.dictionaries(st.text(max_size=5), values, max_size=4).map(lambda m: {"M": m})
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=10), VALUES))
def test_the_loader_counts_the_same_bytes(item: dict[str, Any]) -> None:
    assert item_bytes(item) == item_size.item_bytes(item)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8))
def test_the_loader_counts_a_number_with_one_byte_of_difference_at_most(number: Decimal) -> None:
    # It aligns the pairs of digits at the decimal point, which the documentation leaves open.
    text = str(number)
    assert abs(value_bytes({"N": text}) - item_size.value_bytes({"N": text})) <= 1


def test_an_item_has_the_sizes_of_its_names_and_values() -> None:
    assert item_bytes({"id": {"S": "a"}, "naïve": {"NULL": True}}) == 2 + 1 + 6 + 1


def test_a_projection_has_only_its_attributes() -> None:
    item = {"id": {"S": "a"}, "mail": {"S": "a@b"}, "text": {"S": "x" * 5_000}}
    assert item_bytes(item, {"id", "mail", "missing"}) == 2 + 1 + 4 + 3


@pytest.mark.parametrize(
    ("size", "units"), [(0, 1), (1, 1), (1_024, 1), (1_025, 2), (409_600, 400)]
)
def test_a_write_costs_one_unit_per_kilobyte(size: int, units: int) -> None:
    assert write_units(size) == units


@pytest.mark.parametrize(("size", "units"), [(0, 1.0), (4_096, 1.0), (4_097, 2.0)])
def test_a_read_costs_one_unit_per_four_kilobytes_and_half_if_eventually_consistent(
    size: int, units: float
) -> None:
    assert read_units(size, consistent=True) == units
    assert read_units(size, consistent=False) == units / 2
