"""Items in DynamoDB JSON, as a scan returns them → the text that the plan has for the same item.

DynamoDB returns the elements of a set, the entries of a map and the attributes of an item in any
order, and a number in a notation of its own. The canonical text has
- the attributes in the order of the export, and others after them by name;
- numbers in plain notation, without zeros that can be left out;
- the elements of a set, and the entries of a map, in the order of their JSON by code point.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from loader.items.json_text import json_text

_CANONICAL_NUMBER = re.compile(r"0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9]")


def canonical_text(item: Mapping[str, Any], attributes: Iterable[str]) -> str:
    """The item's canonical JSON without its outer braces; items/digest.py hashes it.

    `attributes` are those of the export in the order of column_mapping.attribute_types. A binary
    value is of bytes or in base64.
    """
    names = [name for name in attributes if name in item]
    if len(names) < len(item):
        names += sorted(item.keys() - set(names))
    return ",".join([f"{json_text(name)}:{_value(item[name])}" for name in names])


def key_text(item: Mapping[str, Any], key: Iterable[str]) -> str:
    """The key of an item as the plan writes it: `"user_id":{"S":"12347"}`."""
    names = tuple(key)
    return canonical_text({name: item[name] for name in names}, names)


def canonical_number(text: str) -> str:
    """The number in plain notation, without an exponent and zeros that can be left out."""
    if _CANONICAL_NUMBER.fullmatch(text):
        return text
    plain = format(Decimal(text), "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain == "-0" else plain


def _value(value: Mapping[str, Any]) -> str:
    ((type_, content),) = value.items()
    return f'{{"{type_}":{_CONTENT[type_](content)}}}'


def _list(elements: Iterable[Mapping[str, Any]]) -> str:
    return f"[{','.join(map(_value, elements))}]"


def _map(entries: Mapping[str, Mapping[str, Any]]) -> str:
    texts = [f"{json_text(name)}:{_value(value)}" for name, value in entries.items()]
    return f"{{{','.join(sorted(texts))}}}"


def _set_of(element: Callable[[Any], str]) -> Callable[[Iterable[Any]], str]:
    return lambda elements: f"[{','.join(sorted(map(element, elements)))}]"


def _number(text: str) -> str:
    return f'"{canonical_number(text)}"'


def _binary(value: bytes | str) -> str:
    return f'"{value}"' if isinstance(value, str) else f'"{b64encode(value).decode()}"'


_CONTENT: dict[str, Callable[[Any], str]] = {
    "S": json_text,
    "N": _number,
    "B": _binary,
    "BOOL": lambda flag: "true" if flag else "false",
    "NULL": lambda _: "true",
    "L": _list,
    "M": _map,
    "SS": _set_of(json_text),
    "NS": _set_of(_number),
    "BS": _set_of(_binary),
}
