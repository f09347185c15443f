from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from loader.dynamodb.description import TableDescription
from loader.dynamodb.table import create, describe
from loader.errors import Refused

KEY = (("user_id", "S"), ("day", "N"))
URL = "https://dynamodb.eu-west-1.amazonaws.com"


def described(table: dict[str, Any]) -> Any:
    return SimpleNamespace(describe_table=lambda TableName: {"Table": table})  # noqa: N803


def raising(error: Exception) -> Any:
    def refuse(**_: Any) -> Any:
        raise error

    meta = SimpleNamespace(endpoint_url=URL)
    return SimpleNamespace(describe_table=refuse, create_table=refuse, meta=meta)


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeTable")


def test_a_table_that_is_there_is_described() -> None:
    table = {
        "AttributeDefinitions": [{"AttributeName": "user_id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "user_id", "KeyType": "HASH"}],
        "TableStatus": "ACTIVE",
    }

    assert describe(described(table), "items") == TableDescription(
        "items", (("user_id", "S"),), "ACTIVE", on_demand=False
    )


def test_a_table_that_is_not_there_is_none() -> None:
    assert describe(raising(client_error("ResourceNotFoundException")), "items") is None


@pytest.mark.parametrize(
    "error", [client_error("AccessDeniedException"), EndpointConnectionError(endpoint_url=URL)]
)
def test_a_table_that_cannot_be_asked_for_is_refused(error: Exception) -> None:
    with pytest.raises(Refused) as refused:
        describe(raising(error), "items")

    assert refused.value.problems == [
        f"table items must be described by {URL}, got {error}: "
        "check region, endpoint, credentials and the permission dynamodb:DescribeTable"
    ]


def test_a_table_that_cannot_be_created_is_refused() -> None:
    error = client_error("AccessDeniedException")
    with pytest.raises(Refused) as refused:
        create(raising(error), "items", KEY)

    assert refused.value.problems == [
        f"table items must be created, got {error}: check the permission dynamodb:CreateTable"
    ]


def test_a_created_table_is_on_demand_and_waited_for() -> None:
    calls: list[Any] = []

    def get_waiter(name: str) -> Any:
        return SimpleNamespace(wait=lambda **options: calls.append((name, options["TableName"])))

    client: Any = SimpleNamespace(
        create_table=lambda **definition: calls.append(definition), get_waiter=get_waiter
    )

    create(client, "items", KEY)

    assert calls == [
        {
            "TableName": "items",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": "user_id", "AttributeType": "S"},
                {"AttributeName": "day", "AttributeType": "N"},
            ],
            "KeySchema": [
                {"AttributeName": "user_id", "KeyType": "HASH"},
                {"AttributeName": "day", "KeyType": "RANGE"},
            ],
        },
        ("table_exists", "items"),
    ]
