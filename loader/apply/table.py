"""The DynamoDB table as a whole: does it fit the export, and making it where it is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, SSLError

from loader.apply.dynamodb import Endpoint
from loader.errors import Refused, reason

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Key = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class TableDescription:
    """What matters of a table: its key as (name, type letter), status and billing mode."""

    name: str
    key: tuple[tuple[str, str], ...]
    status: str
    on_demand: bool


def client() -> "DynamoDBClient":
    """boto3's client, configured as everywhere in AWS: environment, profile, instance role."""
    import boto3

    try:
        return boto3.client("dynamodb")
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
        raise Refused(
            f"DynamoDB must be reachable, got {reason(error)}: check AWS_DEFAULT_REGION, "
            "AWS_PROFILE and AWS_ENDPOINT_URL_DYNAMODB (sandbox: `python -m sandbox env`)"
        ) from None


def endpoint(dynamodb: "DynamoDBClient", table: str) -> Endpoint:
    meta = dynamodb.meta
    return Endpoint(meta.endpoint_url, meta.region_name, table)


def describe(dynamodb: "DynamoDBClient", name: str) -> TableDescription | None:
    """The table, or None where there is none; `Refused` when AWS cannot be asked."""
    try:
        table: Any = dynamodb.describe_table(TableName=name)["Table"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
            return None
        raise _unreachable(dynamodb, name, error) from None
    except BotoCoreError as error:
        raise _unreachable(dynamodb, name, error) from None
    types = {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}
    by_kind = {k["KeyType"]: k["AttributeName"] for k in table["KeySchema"]}
    names = [by_kind[kind] for kind in ("HASH", "RANGE") if kind in by_kind]
    billing = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    return TableDescription(
        name,
        tuple((n, types[n]) for n in names),
        table["TableStatus"],
        billing == "PAY_PER_REQUEST",
    )


def _unreachable(dynamodb: "DynamoDBClient", name: str, error: Exception) -> Refused:
    remedy = "check region, endpoint, credentials and the permission dynamodb:DescribeTable"
    if isinstance(error, SSLError):
        remedy = "check the endpoint, or name its certificate's authority in AWS_CA_BUNDLE"
    return Refused(
        f"table {name} must be described by {dynamodb.meta.endpoint_url}, got {reason(error)}: "
        f"{remedy}"
    )


def missing(name: str) -> str:
    return (
        f"table {name} must exist, got none: create it, or let the loader do so with --create-table"
    )


def key_problems(table: TableDescription, key: Key) -> list[str]:
    """How the table's key differs from the export's, in names or types."""
    if table.key == tuple(key):
        return []
    return [
        f"table {table.name} must have the key {show_key(key)}, got {show_key(table.key)}: "
        "name it in the exposure's key, cast it in the model, or create another table"
    ]


def show_key(key: Key) -> str:
    return ", ".join(f"{name} ({letter})" for name, letter in key)


def create(dynamodb: "DynamoDBClient", name: str, key: Key) -> None:
    """Create the table, on demand, and wait until it is active."""
    kinds = ("HASH", "RANGE")
    definition: Any = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in key],
        "KeySchema": [
            {"AttributeName": n, "KeyType": kind} for (n, _), kind in zip(key, kinds, strict=False)
        ],
    }
    try:
        dynamodb.create_table(**definition)
        dynamodb.get_waiter("table_exists").wait(
            TableName=name, WaiterConfig={"Delay": 2, "MaxAttempts": 60}
        )
    except (ClientError, BotoCoreError) as error:
        raise Refused(
            f"table {name} must be created, got {reason(error)}: "
            "check the permission dynamodb:CreateTable"
        ) from None


@dataclass(frozen=True)
class ReadyTable:
    """A table that can be written: where it is, and DynamoDB's word for how it is paid."""

    region: str
    billing_mode: str


def ready(dynamodb: "DynamoDBClient", name: str, key: Key, make: bool) -> ReadyTable:
    """The table, made where there is none and `make` says so; `Refused` where it does not fit."""
    table = describe(dynamodb, name)
    if table is None:
        if not make:
            raise Refused(missing(name))
        create(dynamodb, name, key)
    elif problems := key_problems(table, key):
        raise Refused(problems)
    on_demand = table is None or table.on_demand
    region = endpoint(dynamodb, name).region
    return ReadyTable(region, "PAY_PER_REQUEST" if on_demand else "PROVISIONED")
