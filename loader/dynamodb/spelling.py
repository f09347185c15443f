"""Two spellings of one table: its name, and its ARN."""

from loader.items.table_name import Arn, arn, full_parts


def account_of(table: str) -> str:
    """The account of a table's ARN; empty if it is none."""
    parts = arn(table)
    return parts.account if parts else ""


def is_one_table(one: str, other: str, region: str, account: str) -> bool:
    """Whether two names, full names or ARNs may be those of one table.

    A name is of this region and account. An account that is unknown, empty, may be any.
    """
    first, second = (full_parts(table) or Arn(region, account, table) for table in (one, other))
    first, second = (parts._replace(region=parts.region or region) for parts in (first, second))
    accounts = {first.account, second.account} - {""}
    return (first.region, first.name) == (second.region, second.name) and len(accounts) < 2
