"""Whether the items of a table will expire: DynamoDB does not report an attribute that it ignores.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from loader.errors import reason

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The year 5138 in seconds, and 1973 in milliseconds.
LATEST_SECONDS = 100_000_000_000
NEVER = "DynamoDB never expires the items"


@dataclass(frozen=True)
class TimeToLive:
    """The attribute of the table's time to live, "" if it has none; or why it is unknown."""

    attribute: str = ""
    unknown: str = ""


def read_time_to_live(dynamodb: "DynamoDBClient", table: str) -> TimeToLive:
    try:
        answer = dynamodb.describe_time_to_live(TableName=table)
    except (ClientError, BotoCoreError) as error:
        return TimeToLive(unknown=reason(error))
    described = answer.get("TimeToLiveDescription", {})
    enabled = described.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return TimeToLive(described.get("AttributeName", "") if enabled else "")


def time_to_live_notes(
    time_to_live: TimeToLive, attribute_types: Mapping[str, str], item: Mapping[str, object]
) -> list[str]:
    """Why the items would not expire, as far as one `item`, in DynamoDB JSON, can show it."""
    name = time_to_live.attribute
    if time_to_live.unknown:
        return [
            f"the table's time to live is unknown ({time_to_live.unknown}): "
            "it needs the permission dynamodb:DescribeTimeToLive"
        ]
    if not name:
        return []
    attribute = f"time to live attribute {name}"
    if name not in attribute_types:
        return [f"{NEVER}: the export does not write the {attribute}"]
    type_ = attribute_types[name]
    if type_ != "N":
        return [
            f"{NEVER}: the {attribute} is {type_}, not a number of seconds since 1970, such as "
            "extract(epoch from …)"
        ]
    match item.get(name):
        case {"N": str(number)} if Decimal(number) > LATEST_SECONDS:
            return [f"{NEVER}: the {attribute} has {number}, which is milliseconds, not seconds"]
    return []
