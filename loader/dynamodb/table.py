"""Describe the DynamoDB table, and create it if it is missing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError, SSLError

from loader import aws, tls
from loader.dynamodb.description import Key, TableDescription, read_description
from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.table_rules import missing_table, table_problems
from loader.errors import Refused, reason

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def client(allow_plain_http: bool) -> "DynamoDBClient":
    """botocore's client, configured by environment, profile or instance role; sends no request.

    Raises `Refused` if the configuration is invalid or requests would be sent in plain text.
    """
    problems = [problem] if (problem := tls.ca_bundle_problem()) else []
    try:
        dynamodb: Any = aws.session().create_client("dynamodb")
    except aws.Misconfigured as error:
        raise Refused([*problems, str(error)]) from None
    except (BotoCoreError, ValueError) as error:  # ValueError: the endpoint is not a URL
        problems.append(
            f"cannot create a DynamoDB client: {reason(error)}. Check AWS_DEFAULT_REGION, "
            "AWS_PROFILE and AWS_ENDPOINT_URL_DYNAMODB (sandbox: `python -m sandbox env`)"
        )
        raise Refused(problems) from None
    plain = tls.plain_text_problem("DynamoDB", dynamodb.meta.endpoint_url)
    if plain and not allow_plain_http:
        problems.append(plain)
    if problems:
        raise Refused(problems)
    return cast("DynamoDBClient", dynamodb)


def endpoint(dynamodb: "DynamoDBClient", table: str) -> Endpoint:
    meta = dynamodb.meta
    return Endpoint(meta.endpoint_url, meta.region_name, table)


def describe(dynamodb: "DynamoDBClient", name: str) -> TableDescription | None:
    """The table, or None if it does not exist; raises `Refused` if DynamoDB does not answer."""
    try:
        table: Any = dynamodb.describe_table(TableName=name)["Table"]
    except (ClientError, BotoCoreError) as error:
        code = error.response["Error"].get("Code") if isinstance(error, ClientError) else ""
        if code == "ResourceNotFoundException":
            return None
        remedy = "Check Region, endpoint, credentials and the permission dynamodb:DescribeTable"
        if isinstance(error, SSLError):
            remedy = "Check the endpoint, or name its certificate authority in AWS_CA_BUNDLE"
        meta = dynamodb.meta
        raise Refused(
            f"cannot describe table {name} in {meta.region_name} at {meta.endpoint_url}: "
            f"{reason(error)}. {remedy}"
        ) from None
    return read_description(name, table)


def create(dynamodb: "DynamoDBClient", name: str, key: Key) -> None:
    """Create an on-demand table and wait until it is active."""
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
            f"cannot create table {name}: {reason(error)}. "
            "Check the permission dynamodb:CreateTable"
        ) from None


@dataclass(frozen=True)
class ReadyTable:
    """A table that can be written; `billing_mode` is DynamoDB's name for it."""

    endpoint: Endpoint
    billing_mode: str


def ready(dynamodb: "DynamoDBClient", name: str, key: Key, create_missing: bool) -> ReadyTable:
    """The table, created if allowed; raises `Refused` if it is missing or unsuitable."""
    table = describe(dynamodb, name)
    if table is None:
        if not create_missing:
            raise Refused(missing_table(name))
        create(dynamodb, name, key)
    elif problems := table_problems(table, key):
        raise Refused(problems)
    on_demand = table is None or table.on_demand
    return ReadyTable(endpoint(dynamodb, name), "PAY_PER_REQUEST" if on_demand else "PROVISIONED")
