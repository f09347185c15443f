"""How an export names its DynamoDB table: by its name, or by its ARN in any account and Region.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
"""

import re
from typing import NamedTuple

NAME = "[A-Za-z0-9_.-]{3,255}"
ROLE_ACCOUNT = re.compile(r"arn:(aws[a-z-]*):iam::([0-9]{12}):role/")
ARN = f"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:[0-9]{{12}}:table/{NAME}"
FULL_NAME = re.compile(ARN.replace("[a-z0-9-]+", "[a-z0-9-]*"))
TABLE = f"^(?:{NAME}|{ARN})$"


class Arn(NamedTuple):
    """The parts of arn:aws:dynamodb:eu-west-1:111111111111:table/users."""

    region: str
    account: str
    name: str


def arn(table: str) -> Arn | None:
    """The parts of a table's ARN; None for a name."""
    parts = full_parts(table)
    return parts if parts and parts.region else None


def full_name(table: str, role: object = None) -> str:
    """The table as it is named or, if a role reaches it, an ARN of its account without a Region."""
    account = ROLE_ACCOUNT.match(str(role or ""))
    if account is None or arn(table):
        return table
    return f"arn:{account[1]}:dynamodb::{account[2]}:table/{table}"


def full_parts(table: str) -> Arn | None:
    """The parts of an ARN or of a full name, whose Region is empty; None for a name alone."""
    if not FULL_NAME.fullmatch(table):
        return None
    *_, region, account, resource = table.split(":")
    return Arn(region, account, resource.removeprefix("table/"))


def region_of(table: str) -> str | None:
    """The Region in an ARN; None for a name, whose Region is that of the AWS configuration."""
    parts = arn(table)
    return parts.region if parts else None
