"""How an export names its DynamoDB table: by its name, or by its ARN in any account and Region.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
"""

import re
from typing import NamedTuple

NAME = "[A-Za-z0-9_.-]{3,255}"
ARN = f"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:[0-9]{{12}}:table/{NAME}"
TABLE = f"^(?:{NAME}|{ARN})$"


class Arn(NamedTuple):
    """The parts of arn:aws:dynamodb:eu-west-1:111111111111:table/users."""

    region: str
    account: str
    name: str


def arn(table: str) -> Arn | None:
    """The parts of a table's ARN; None for a name."""
    if not re.fullmatch(ARN, table):
        return None
    *_, region, account, resource = table.split(":")
    return Arn(region, account, resource.removeprefix("table/"))


def region_of(table: str) -> str | None:
    """The Region in an ARN; None for a name, whose Region is that of the AWS configuration."""
    parts = arn(table)
    return parts.region if parts else None
