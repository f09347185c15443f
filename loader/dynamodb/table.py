"""Describe the DynamoDB table, and create it if it is missing."""

import http.client
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    SSLError,
)

from loader import aws, tls
from loader.assumed_role import AssumedRole
from loader.dynamodb import renewing_client
from loader.dynamodb.connection import Connection
from loader.dynamodb.description import Key, TableDescription, read_description
from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.identity import TableIdentity, identity, identity_problem
from loader.dynamodb.renewing_client import RenewingClient
from loader.dynamodb.role import role_problem
from loader.dynamodb.table_rules import missing_table, table_problems
from loader.errors import Refused, reason
from loader.items.table_name import region_of
from loader.proxies import VARIABLES, proxy_for

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ON_DEMAND = "PAY_PER_REQUEST"
ROUTE = "Check the route to DynamoDB, HTTPS_PROXY, NO_PROXY, Region and AWS_ENDPOINT_URL_DYNAMODB"


class Unanswered(Refused):
    """DynamoDB could not be connected to, or did not answer."""


def client(
    allow_plain_http: bool, region: str | None = None, role: AssumedRole | None = None
) -> "DynamoDBClient":
    """botocore's client, configured by environment, profile or instance role.

    `region` takes precedence over the configured one. Assumes the role, and sends no other request.
    Credentials that have expired when it is used are searched for again.
    Raises `Refused` if the configuration is invalid, if requests would be sent in plain text, if
    the proxy does not connect to the endpoint, or if the role cannot be assumed.
    """
    problems = [problem] if (problem := tls.ca_bundle_problem()) else []
    try:
        session = aws.session(region, role)
        dynamodb: Any = renewing_client.create(session)
    except aws.Misconfigured as error:
        raise Refused([*problems, str(error)]) from None
    except (BotoCoreError, ValueError) as error:  # ValueError: the endpoint is not a URL
        problems.append(
            f"cannot create a DynamoDB client: {aws.client_cause(error)}. Check AWS_REGION, "
            "AWS_PROFILE and AWS_ENDPOINT_URL_DYNAMODB (sandbox: `python -m sandbox env`)"
        )
        raise Refused(problems) from None
    url = dynamodb.meta.endpoint_url
    problem = aws.address_problem("DynamoDB", url, allow_plain_http)
    if problem is None and not problems:
        problem = unreachable_by_proxy(endpoint(dynamodb, ""))
        if role and problem is None:
            sts = Endpoint(role.endpoint or "", "", "", role.proxy)
            problem = unreachable_by_proxy(sts) or role_problem(session, role)
    if problem or problems:
        raise Refused([*problems, *filter(None, [problem])])
    renewing = RenewingClient(dynamodb, lambda: renewing_client.create(aws.session(region, role)))
    return cast("DynamoDBClient", renewing)


def endpoint(dynamodb: "DynamoDBClient", table: str, role: AssumedRole | None = None) -> Endpoint:
    url = dynamodb.meta.endpoint_url
    return Endpoint(url, dynamodb.meta.region_name, table, proxy_for(url), role)


def unreachable_by_proxy(endpoint: Endpoint) -> str | None:
    """Why the proxy does not connect to the endpoint, or None; boto3 would retry for a minute."""
    if endpoint.proxy is None:
        return None
    url = urlsplit(endpoint.url)
    connection = Connection(url, tls.context() if url.scheme == "https" else None, endpoint.proxy)
    try:
        connection.open()
    except (OSError, http.client.HTTPException) as error:
        through = f"cannot connect to {endpoint.url} through proxy {endpoint.proxy}: "
        if isinstance(error, ssl.SSLError):
            return f"{through}{reason(error)}. {aws.UNTRUSTED}"
        variable = VARIABLES[url.scheme]
        return f"{through}{reason(error)}. Check {variable}, or add {url.hostname} to NO_PROXY"
    finally:
        connection.close()
    return None


def describe(dynamodb: "DynamoDBClient", name: str) -> TableDescription | None:
    """The table, or None if it does not exist; raises `Refused` if DynamoDB does not answer."""
    try:
        table: Any = dynamodb.describe_table(TableName=name)["Table"]
    except (ClientError, BotoCoreError) as error:
        code = error.response["Error"].get("Code") if isinstance(error, ClientError) else ""
        if code == "ResourceNotFoundException":
            return None
        unanswered = isinstance(error, (ConnectionError, HTTPClientError))
        remedy = "Check Region, endpoint, credentials and the permission dynamodb:DescribeTable"
        if isinstance(error, SSLError):
            remedy = aws.UNTRUSTED
        elif unanswered:
            remedy = ROUTE
        place = endpoint(dynamodb, name)
        raise (Unanswered if unanswered else Refused)(
            f"cannot describe table {name} in {place.region} at {place}: {reason(error)}. {remedy}"
        ) from None
    return read_description(name, table)


def create(dynamodb: "DynamoDBClient", name: str, key: Key) -> TableDescription:
    """Create an on-demand table and wait until it is active."""
    kinds = ("HASH", "RANGE")
    definition: Any = {
        "TableName": name,
        "BillingMode": ON_DEMAND,
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in key],
        "KeySchema": [
            {"AttributeName": n, "KeyType": kind} for (n, _), kind in zip(key, kinds, strict=False)
        ],
    }
    try:
        table: Any = dynamodb.create_table(**definition)["TableDescription"]
        dynamodb.get_waiter("table_exists").wait(
            TableName=name, WaiterConfig={"Delay": 2, "MaxAttempts": 60}
        )
    except (ClientError, BotoCoreError) as error:
        raise Refused(
            f"cannot create table {name}: {reason(error)}. "
            "Check the permission dynamodb:CreateTable"
        ) from None
    return read_description(name, table)


@dataclass(frozen=True)
class ReadyTable:
    """A table that can be written."""

    endpoint: Endpoint
    identity: TableIdentity
    description: TableDescription

    @property
    def billing_mode(self) -> str:
        """DynamoDB's name for it."""
        return ON_DEMAND if self.description.on_demand else "PROVISIONED"


def ready(
    dynamodb: "DynamoDBClient",
    planned: TableIdentity,
    key: Key,
    create_missing: bool,
    rules: Callable[[TableDescription], list[str]] = lambda _: [],
    role: AssumedRole | None = None,
) -> ReadyTable:
    """The table that was planned, created if allowed.

    Raises `Refused` if it is missing, another one, or unsuitable; `rules` are further ones.
    """
    name = planned.name
    address = endpoint(dynamodb, name, role)
    table = describe(dynamodb, name)
    if problem := identity_problem(planned, identity(address, table)):
        raise Refused(problem)
    if table is None:
        if not create_missing or region_of(name):
            raise Refused(missing_table(name))
        created = create(dynamodb, name, key)
        return ReadyTable(address, identity(address, created), created)
    if problems := [*table_problems(table, key), *rules(table)]:
        raise Refused(problems)
    return ReadyTable(address, identity(address, table), table)
