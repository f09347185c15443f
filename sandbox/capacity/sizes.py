"""The size of an item in bytes and its capacity units, as DynamoDB counts them.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
Written independently of loader/items/, so that each checks the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

WRITE_UNIT_BYTES = 1_024
READ_UNIT_BYTES = 4_096
CONTAINER_BYTES = 3
ELEMENT_BYTES = 1
MOST_NUMBER_BYTES = 21

Value = Mapping[str, Any]
Item = Mapping[str, Value]


def item_bytes(item: Item, names: Collection[str] | None = None) -> int:
    """The size of an item, or of those of its attributes that have the names."""
    size = 0
    for name, value in item.items():
        if names is None or name in names:
            size += _text_bytes(name) + value_bytes(value)
    return size


def value_bytes(value: Value) -> int:
    """The size of a value as in a request: {"S": "text"}."""
    [(kind, content)] = value.items()
    if kind == "S":
        return _text_bytes(content)
    size: int = _SIZES[kind](content)
    return size


def write_units(size: int) -> int:
    return max(1, -(-size // WRITE_UNIT_BYTES))


def read_units(size: int, *, consistent: bool) -> float:
    """Units of a read of these bytes; an eventually consistent read costs half."""
    units = max(1, -(-size // READ_UNIT_BYTES))
    return float(units) if consistent else units / 2


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def _number_bytes(number: str) -> int:
    """One byte per two significant digits, one more, and one for a minus sign."""
    mantissa = number.lower().partition("e")[0]
    digits = mantissa.lstrip("+-").replace(".", "").strip("0")
    negative = number.startswith("-") and bool(digits)
    return min(MOST_NUMBER_BYTES, -(-len(digits) // 2) + 1 + negative)


def _binary_bytes(base64: str) -> int:
    return len(base64) * 3 // 4 - base64[-2:].count("=")


def _list_bytes(elements: list[Value]) -> int:
    return CONTAINER_BYTES + sum(value_bytes(e) + ELEMENT_BYTES for e in elements)


def _map_bytes(entries: Item) -> int:
    return CONTAINER_BYTES + item_bytes(entries) + ELEMENT_BYTES * len(entries)


_SIZES: dict[str, Any] = {
    "N": _number_bytes,
    "B": _binary_bytes,
    "BOOL": lambda _: 1,
    "NULL": lambda _: 1,
    "SS": lambda texts: sum(map(_text_bytes, texts)),
    "NS": lambda numbers: sum(map(_number_bytes, numbers)),
    "BS": lambda binaries: sum(map(_binary_bytes, binaries)),
    "L": _list_bytes,
    "M": _map_bytes,
}
