"""The DynamoDB table as a whole: asked for, and made where it is missing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, SSLError

from loader import aws
from loader.aws import plain_text_problem
from loader.dynamodb.checks import missing_table, table_problems
from loader.dynamodb.description import Key, TableDescription, read_description
from loader.dynamodb.endpoint import Endpoint
from loader.errors import Refused, reason

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def client(allow_plain_http: bool) -> "DynamoDBClient":
    """boto3's client, configured as everywhere in AWS: environment, profile, instance role.

    Sends nothing. `Refused` where nothing could be sent, or only in plain text.
    """
    import boto3

    problems = [problem] if (problem := aws.ca_bundle_problem()) else []
    try:
        made = boto3.client("dynamodb")
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
        problems.append(
            f"DynamoDB must be reachable, got {reason(error)}: check AWS_DEFAULT_REGION, "
            "AWS_PROFILE and AWS_ENDPOINT_URL_DYNAMODB (sandbox: `python -m sandbox env`)"
        )
        raise Refused(problems) from None
    plain = plain_text_problem("DynamoDB", made.meta.endpoint_url)
    if plain and not allow_plain_http:
        problems.append(plain)
    if problems:
        raise Refused(problems)
    return made


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
    return read_description(name, table)


def _unreachable(dynamodb: "DynamoDBClient", name: str, error: Exception) -> Refused:
    remedy = "check region, endpoint, credentials and the permission dynamodb:DescribeTable"
    if isinstance(error, SSLError):
        remedy = "check the endpoint, or name its certificate's authority in AWS_CA_BUNDLE"
    return Refused(
        f"table {name} must be described by {dynamodb.meta.endpoint_url}, got {reason(error)}: "
        f"{remedy}"
    )


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

    endpoint: Endpoint
    billing_mode: str


def ready(dynamodb: "DynamoDBClient", name: str, key: Key, make: bool) -> ReadyTable:
    """The table, made where there is none and `make` says so; `Refused` where it does not fit."""
    table = describe(dynamodb, name)
    if table is None:
        if not make:
            raise Refused(missing_table(name))
        create(dynamodb, name, key)
    elif problems := table_problems(table, key):
        raise Refused(problems)
    on_demand = table is None or table.on_demand
    return ReadyTable(endpoint(dynamodb, name), "PAY_PER_REQUEST" if on_demand else "PROVISIONED")
