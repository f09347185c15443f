"""How an export names its DynamoDB table: by its name, or by its ARN in any account and Region.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
"""

import re

NAME = "[A-Za-z0-9_.-]{3,255}"
ARN = f"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:[0-9]{{12}}:table/{NAME}"
TABLE = f"^(?:{NAME}|{ARN})$"


def region_of(table: str) -> str | None:
    """The Region in an ARN; None for a name, whose Region is that of the AWS configuration."""
    return table.split(":")[3] if re.fullmatch(ARN, table) else None
