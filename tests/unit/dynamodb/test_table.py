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

    meta = SimpleNamespace(endpoint_url=URL, region_name="eu-west-1")
    return SimpleNamespace(describe_table=refuse, create_table=refuse, meta=meta)


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeTable")


def test_a_table_that_exists_is_described() -> None:
    table = {
        "AttributeDefinitions": [{"AttributeName": "user_id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "user_id", "KeyType": "HASH"}],
        "TableStatus": "ACTIVE",
    }

    assert describe(described(table), "items") == TableDescription(
        "items", (("user_id", "S"),), "ACTIVE", on_demand=False
    )


def test_a_table_that_does_not_exist_is_none() -> None:
    assert describe(raising(client_error("ResourceNotFoundException")), "items") is None


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (
            client_error("AccessDeniedException"),
            "Check Region, endpoint, credentials and the permission dynamodb:DescribeTable",
        ),
        (
            EndpointConnectionError(endpoint_url=URL),
            "Check the route to DynamoDB, HTTPS_PROXY, NO_PROXY, Region and "
            "AWS_ENDPOINT_URL_DYNAMODB",
        ),
    ],
)
def test_a_table_that_cannot_be_described_is_refused(error: Exception, remedy: str) -> None:
    with pytest.raises(Refused) as refused:
        describe(raising(error), "items")

    assert refused.value.problems == [
        f"cannot describe table items in eu-west-1 at {URL}: {error}. {remedy}"
    ]


def test_a_table_that_cannot_be_created_is_refused() -> None:
    error = client_error("AccessDeniedException")
    with pytest.raises(Refused) as refused:
        create(raising(error), "items", KEY)

    assert refused.value.problems == [
        f"cannot create table items: {error}. Check the permission dynamodb:CreateTable"
    ]


def test_a_created_table_is_on_demand_and_active_before_the_function_returns() -> None:
    calls: list[Any] = []

    def get_waiter(name: str) -> Any:
        return SimpleNamespace(wait=lambda **options: calls.append((name, options["TableName"])))

    def create_table(**definition: Any) -> Any:
        calls.append(definition)
        return {"TableDescription": {**definition, "TableStatus": "CREATING", "TableId": "7f"}}

    client: Any = SimpleNamespace(create_table=create_table, get_waiter=get_waiter)

    table = create(client, "items", KEY)

    assert table == TableDescription("items", KEY, "CREATING", on_demand=False, table_id="7f")
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
