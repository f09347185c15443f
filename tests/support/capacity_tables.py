"""A table with a global and a local index, as DescribeTable describes it."""

from __future__ import annotations

from typing import Any

from sandbox.capacity.admission import Table
from sandbox.capacity.limits import changed_limits, described_limits
from sandbox.capacity.schema import read_schema

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/users"


def description(**changes: Any) -> dict[str, Any]:
    return {
        "TableName": "users",
        "TableArn": ARN,
        "KeySchema": [
            {"AttributeName": "at", "KeyType": "RANGE"},
            {"AttributeName": "id", "KeyType": "HASH"},
        ],
        "ProvisionedThroughput": {"WriteCapacityUnits": 100, "ReadCapacityUnits": 50},
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by_mail",
                "KeySchema": [{"AttributeName": "mail", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
                "ProvisionedThroughput": {"WriteCapacityUnits": 10, "ReadCapacityUnits": 5},
            }
        ],
        "LocalSecondaryIndexes": [
            {
                "IndexName": "by_size",
                "KeySchema": [
                    {"AttributeName": "id", "KeyType": "HASH"},
                    {"AttributeName": "size", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        **changes,
    }


def table(**limits: Any) -> Table:
    """The table at the time 0, without a burst."""
    described = description()
    changed = changed_limits(described_limits(described), {"burst": False, **limits})
    return Table(read_schema(described), changed, now=0)


def item(number: int = 0, **attributes: Any) -> dict[str, Any]:
    return {"id": {"S": f"user-{number}"}, "at": {"S": "1"}, **attributes}
