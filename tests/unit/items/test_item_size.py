"""Sizes of items; tests/integration/test_encoding.py compares them with those of a plan."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.items.item_size import item_bytes, number_bytes, value_bytes


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": ""}, 0),
        ({"S": "ab"}, 2),
        ({"S": "é🎁"}, 6),
        ({"S": "\ud800"}, 3),
        ({"B": ""}, 0),
        ({"B": "AA=="}, 1),
        ({"B": "AAA="}, 2),
        ({"B": "AAAA"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"N": "1"}, {"NULL": True}]}, 3 + 3 + 3 + 2),
        ({"M": {}}, 3),
        ({"M": {"é": {"S": "abc"}}}, 3 + 1 + 2 + 3),
        ({"SS": ["ab", "é"]}, 4),
        ({"NS": ["1", "-100"]}, 2 + 3),
        ({"BS": ["AAAA", "AA=="]}, 4),
    ],
)
def test_a_value_has_the_bytes_that_dynamodb_counts(value: dict[str, Any], size: int) -> None:
    assert value_bytes(value) == size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 1),
        ("-0", 1),
        ("0.00", 1),
        ("7", 2),
        ("12", 2),
        ("1.2", 3),
        ("123", 3),
        ("1200", 2),
        ("120", 3),
        ("-1", 3),
        ("+1", 2),
        ("0.01", 2),
        ("0.001", 2),
        ("1E+2", 2),
        ("1e125", 2),
        ("-1.5E-130", 4),
    ],
)
def test_a_number_takes_a_byte_per_pair_of_digits(text: str, size: int) -> None:
    assert number_bytes(text) == size


@given(st.decimals(min_value=-(10**15), max_value=10**15, places=10))
def test_the_notation_of_a_number_does_not_change_its_size(number: Decimal) -> None:
    plain, scientific = format(number, "f"), format(number, "E")

    assert number_bytes(plain) == number_bytes(scientific)
    assert number_bytes(plain) == number_bytes(format(number * 100, "f"))


def test_an_item_has_the_bytes_of_its_names_and_values() -> None:
    item = {"user_id": {"S": "12347"}, "größe": {"N": "42"}, "items": {"L": [{"S": "22698"}]}}

    assert item_bytes(item) == (7 + 5) + (7 + 2) + (5 + 3 + 6)
