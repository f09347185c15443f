"""Readable items of a table."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import BotoCoreError, ClientError

from loader.dynamodb.table import client, describe
from loader.dynamodb.table_rules import missing_table, show_key
from loader.errors import Refused, reason
from loader.printable import plain_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ELEMENTS = 5


def item_lines(table: str, keys: Sequence[str], allow_plain_http: bool) -> tuple[list[str], int]:
    """Lines of the items with these keys, and the number of keys without an item.

    A key is `partition key` or `partition key/sort key`.
    """
    dynamodb = client(allow_plain_http)
    description = describe(dynamodb, table)
    if description is None:
        raise Refused(missing_table(table))
    lines: list[str] = []
    missing = 0
    for number, text in enumerate(keys):
        values = text.split("/", 1) if len(description.key) > 1 else [text]
        if len(values) != len(description.key):
            raise Refused(
                f"key must have {show_key(description.key)}, got {text}: "
                "give it as partition key/sort key"
            )
        key: Any = {n: {t: value} for (n, t), value in zip(description.key, values, strict=True)}
        item = _get(dynamodb, table, key)
        lines += [""] if number else []
        if item is None:
            lines.append(f"{text}: no such item")
            missing += 1
        else:
            lines += _readable(item, [name for name, _ in description.key])
    return lines, missing


def _get(dynamodb: "DynamoDBClient", table: str, key: Any) -> dict[str, Any] | None:
    try:
        return dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    except (ClientError, BotoCoreError) as error:
        raise Refused(
            f"cannot get the item {plain_key(json.dumps(key)[1:-1])} of table {table}: "
            f"{reason(error)}. "
            "Check the type of the key and the permission dynamodb:GetItem"
        ) from None


def _readable(item: dict[str, Any], key: Sequence[str]) -> list[str]:
    deserialize = TypeDeserializer().deserialize
    names = [*key, *sorted(set(item) - set(key))]
    width = max(len(name) for name in names)
    return [f"{name:<{width}}  {_value(deserialize(item[name]))}" for name in names]


def _value(value: Any) -> str:
    if not isinstance(value, (list, set)):
        return str(value)
    shown = ", ".join(str(element) for element in list(value)[:ELEMENTS])
    if len(value) <= ELEMENTS:
        return f"{len(value)}: {shown}"
    return f"{len(value)}: {shown}, … ({ELEMENTS} of {len(value)})"
