"""Bytes that DynamoDB counts for an item in its own JSON, as a read returns it.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
value_sizes.py has the same rules for columns.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from loader.items.limits import CONTAINER_BYTES, ELEMENT_BYTES


def item_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Bytes of the names and values of an item, such as `{"user_id":{"S":"12347"}}`."""
    return sum([_text_bytes(name) + value_bytes(value) for name, value in item.items()])


def value_bytes(value: Mapping[str, Any]) -> int:
    """Bytes of one value without its name, such as `{"N":"7"}`; its binary is in base64."""
    ((type_, content),) = value.items()
    if type_ == "L":
        return CONTAINER_BYTES + sum([value_bytes(v) + ELEMENT_BYTES for v in content])
    if type_ == "M":
        return CONTAINER_BYTES + len(content) * ELEMENT_BYTES + item_bytes(content)
    if type_ in ("BOOL", "NULL"):
        return 1
    elements: Sequence[str] = content if type_ in ("SS", "NS", "BS") else [content]
    return sum(map(SCALAR_BYTES[type_[0]], elements))


def number_bytes(text: str) -> int:
    """1 byte, 1 for every two digits, 1 for a minus sign; outer zeros are free.

    The pairs of digits start at the decimal point: 12 is one pair, 1.2 two (value_sizes.py).
    """
    mantissa, _, exponent = text.upper().lstrip("+-").partition("E")
    whole, _, fraction = mantissa.partition(".")
    figures = f"{whole}{fraction}"
    digits = figures.lstrip("0")
    if not digits:
        return 1
    first = len(digits) - len(fraction) + int(exponent or 0) - 1  # its power of 10
    last = first - len(digits.rstrip("0")) + 1
    return 1 + first // 2 - last // 2 + 1 + text.startswith("-")


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def _binary_bytes(base64: str) -> int:
    return len(base64) // 4 * 3 - base64.count("=")


SCALAR_BYTES = {"S": _text_bytes, "N": number_bytes, "B": _binary_bytes}
