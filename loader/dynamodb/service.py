"""DynamoDB as a command reaches it: in a Region, and by a role if there is one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.assumed_role import AssumedRole
from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.prices import Price
from loader.dynamodb.role import DeclaresRole, table_role
from loader.dynamodb.table import client, endpoint
from loader.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Service:
    """DynamoDB in a Region, reached by the role if there is one, and its prices.

    `price` is None only if there is a problem, or if it is not needed.
    """

    dynamodb: "DynamoDBClient"
    price: Price | None = None
    role: AssumedRole | None = None

    def endpoint(self, table: str) -> Endpoint:
        return endpoint(self.dynamodb, table, self.role)


def reached(
    settings: Settings, declared: DeclaresRole, region: str | None, session_name: str
) -> Service:
    """DynamoDB in a Region, by the role of the options or the one that is declared.

    `session_name` is what AWS's logs name the use of the role. Raises `Refused`.
    """
    role = table_role(settings, declared, session_name, region)
    return Service(client(settings.allow_plain_http, region, role), role=role)
