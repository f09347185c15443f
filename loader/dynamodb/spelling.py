"""Two spellings of one table: its name, and its ARN."""

import re

# arn:aws:dynamodb:eu-west-1:111111111111:table/users
ARN = re.compile(r"arn:[\w-]+:dynamodb:(?P<region>[\w-]+):(?P<account>\d+):table/(?P<name>.+)")


def account_of(arn: str) -> str:
    """The account of a table's ARN; empty if it is none."""
    parts = ARN.fullmatch(arn)
    return parts["account"] if parts else ""


def is_one_table(one: str, other: str, region: str, account: str) -> bool:
    """Whether two names or ARNs may be those of one table.

    A name is of this region and account. An account that is unknown, empty, may be any.
    """
    places = []
    for table in (one, other):
        parts = ARN.fullmatch(table)
        named = (region, table, account)
        places.append((parts["region"], parts["name"], parts["account"]) if parts else named)
    (*place, account_of_one), (*other_place, account_of_other) = places
    accounts = {account_of_one, account_of_other} - {""}
    return place == other_place and len(accounts) < 2
