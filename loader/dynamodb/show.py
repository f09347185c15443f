"""Readable items of a table."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from loader.dynamodb.description import Key
from loader.dynamodb.kms_key import kms_remedy
from loader.dynamodb.table import describe
from loader.dynamodb.table_rules import missing_table, show_key
from loader.errors import Refused, reason
from loader.printable import printable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ELEMENTS = 5
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def item_lines(
    dynamodb: "DynamoDBClient", table: str, keys: Sequence[str]
) -> tuple[list[str], int]:
    """Lines of the items with these keys, and the number of keys without an item.

    A key is `partition key` or `partition key/sort key`; a binary one is in base64.
    """
    description = describe(dynamodb, table)
    if description is None:
        raise Refused(missing_table(table))
    names = [name for name, _ in description.key]
    lines: list[str] = []
    missing = 0
    for number, text in enumerate(keys):
        candidates = keys_of(text, description.key)
        items = [item for key in candidates if (item := _get(dynamodb, table, key, text))]
        if not items:
            lines += [*_gap(number), f"{printable(text)}: no such item"]
            missing += 1
        for item in items:
            lines += [*_gap(len(lines)), *readable(item, names)]
    return lines, missing


def keys_of(text: str, key: Key) -> list[dict[str, Any]]:
    """The keys that the text may be; raises `Refused` if it cannot be one."""
    candidates = list(keys_in(text, key))
    if not candidates:
        raise Refused(
            f"key must have {show_key(key)}, got {printable(text)}: "
            "give it as partition key/sort key, binary in base64"
        )
    return candidates


def keys_in(text: str, key: Key) -> Iterator[dict[str, Any]]:
    """The keys that the text may be: each part may contain a slash."""
    parts = [[text]]
    if len(key) > 1:
        parts = [[text[: slash.start()], text[slash.end() :]] for slash in re.finditer("/", text)]
    for values in parts:
        pairs = [
            (name, type_, _typed(value, type_))
            for (name, type_), value in zip(key, values, strict=True)
        ]
        if all(value for _, _, value in pairs):
            yield {name: {type_: value} for name, type_, value in pairs}


def _typed(text: str, type_: str) -> str | bytes | None:
    """The value for boto3; None if the text is not of this type."""
    if type_ == "N":
        return text if NUMBER.fullmatch(text) else None
    if type_ == "B":
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return None
    return text


def _gap(lines: int) -> list[str]:
    return [""] if lines else []


def _get(dynamodb: "DynamoDBClient", table: str, key: Any, text: str) -> dict[str, Any] | None:
    try:
        return dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    except (ClientError, BotoCoreError) as error:
        remedy = "Check the type of the key and the permission dynamodb:GetItem"
        raise Refused(
            f"cannot get the item {printable(text)} of table {table}: {reason(error)}. "
            f"{kms_remedy(str(error)) or remedy}"
        ) from None


def readable(item: Mapping[str, Any], key: Sequence[str]) -> list[str]:
    """One line per attribute, the key first; values cannot control the terminal."""
    names = [*key, *sorted(set(item) - set(key))]
    width = max(len(printable(name)) for name in names)
    return [f"{printable(name):<{width}}  {_line(item[name])}" for name in names]


def _line(value: Mapping[str, Any]) -> str:
    """An attribute in one line; of a list or set, the first elements."""
    ((type_, content),) = value.items()
    if type_ not in ("L", "SS", "NS", "BS"):
        return _plain(value)
    elements = _elements(type_, content)
    shown = ", ".join(map(_plain, elements[:ELEMENTS]))
    if len(elements) <= ELEMENTS:
        return f"{len(elements)}: {shown}"
    return f"{len(elements)}: {shown}, … ({ELEMENTS} of {len(elements)})"


def _plain(value: Mapping[str, Any]) -> str:
    """A text without quotes; any other value as inside a list or map."""
    return printable(value["S"]) if "S" in value else _nested(value)


def _nested(value: Mapping[str, Any]) -> str:
    """The value as in JSON; a number has all its digits, and binary is in base64."""
    ((type_, content),) = value.items()
    if type_ == "N":
        return str(content)
    if type_ == "B":
        return base64.b64encode(content).decode()
    if type_ == "NULL":
        return "null"
    if type_ == "M":
        entries = (f"{_json(name)}: {_nested(entry)}" for name, entry in content.items())
        return f"{{{', '.join(entries)}}}"
    if type_ in ("L", "SS", "NS", "BS"):
        return f"[{', '.join(map(_nested, _elements(type_, content)))}]"
    return _json(content)


def _elements(type_: str, content: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
    return content if type_ == "L" else [{type_[0]: element} for element in content]


def _json(value: Any) -> str:
    return printable(json.dumps(value, ensure_ascii=False))
