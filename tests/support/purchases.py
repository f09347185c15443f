"""The purchases of the retail data, by a query that is independent of the dbt model."""

from collections.abc import Callable
from typing import Any

STAGING = "analytics.stg_retail__transactions"
# string_agg instead of Spark, and the conditions are not copied from the model.
PURCHASES = """
    select customer_id::text, string_agg(stock_code, ',' order by invoice_date, line_number)
    from retail.transactions
    where customer_id is not null and left(invoice, 1) <> 'C' and quantity > 0
    group by customer_id
"""


def purchases_of_users(execute: Callable[..., Any]) -> dict[str, list[str]]:
    """The stock codes of each user in the order of purchase."""
    return {user: codes.split(",") for user, codes in execute(PURCHASES)}


def items_of_users(
    items: Callable[[str], list[dict[str, Any]]], table: str
) -> dict[str, list[str]]:
    """The attribute `items` of each user in the table."""
    rows = items(table)
    by_user = {row["user_id"]: row["items"] for row in rows}
    assert len(by_user) == len(rows)
    return by_user
