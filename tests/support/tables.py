"""DynamoDB tables, as tests create and read them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

USER = MappingProxyType({"user_id": "S"})


def create_table(dynamodb: Any, name: str, key: Mapping[str, str] = USER) -> None:
    """A table on demand; `key` has the types of its attributes, the partition key first."""
    dynamodb.create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": attribute, "KeyType": kind}
            for attribute, kind in zip(key, ("HASH", "RANGE"), strict=False)
        ],
        AttributeDefinitions=[{"AttributeName": a, "AttributeType": t} for a, t in key.items()],
        BillingMode="PAY_PER_REQUEST",
    )


def items_of_users(dynamodb: Any, name: str) -> dict[str, list[str]]:
    """The list `items` of each user."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=name)
    return {
        item["user_id"]["S"]: [element["S"] for element in item["items"]["L"]]
        for page in pages
        for item in page["Items"]
    }
