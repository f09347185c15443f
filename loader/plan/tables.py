"""The tables that a run writes to, as they are before it: described, and priced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.dynamodb import table as tables
from loader.dynamodb.checks import index_notes, missing_table
from loader.dynamodb.description import TableDescription
from loader.dynamodb.estimate import Written, estimate
from loader.dynamodb.prices import Price, read_price
from loader.errors import Refused
from loader.items.export import Export
from loader.plan.result import Plan
from loader.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Tables:
    """The tables of the exports by export, None where there is none; their region, its prices.

    `price` and `dynamodb`, the client, are None only where there is a problem.
    """

    tables: dict[str, TableDescription | None]
    region: str
    price: Price | None
    problems: tuple[str, ...]
    dynamodb: "DynamoDBClient | None" = None

    def add_estimate(
        self, plan: Plan, attribute_types: Mapping[str, str], bulky_attributes: frozenset[str]
    ) -> None:
        """Put into the plan what it finds in its table, and what writing it will cost.

        `attribute_types` and `bulky_attributes` are those of `Written`. A table that the loader
        creates is on demand.
        """
        plan.region = self.region
        plan.described = self.tables[plan.export]
        table = plan.described or TableDescription(plan.table, tuple(plan.key), "", on_demand=True)
        plan.index_notes = index_notes(table, attribute_types)
        if self.price:
            written = Written(plan.changes, plan.write_units, attribute_types, bulky_attributes)
            plan.estimate = estimate(written, table, self.price)


def describe_tables(settings: Settings, exports: Sequence[Export]) -> Tables:
    """Describe the exports' tables; one that may not be missing is a problem."""
    found: dict[str, TableDescription | None] = {}
    problems: list[str] = []
    price: Price | None = None
    try:
        dynamodb = tables.client(settings.allow_plain_http)
    except Refused as refused:
        return Tables(found, "", price, tuple(refused.problems))
    region = dynamodb.meta.region_name
    try:
        price = read_price(region, settings.prices)
    except Refused as refused:
        problems += refused.problems
    for export in exports:
        try:
            table = found[export.name] = tables.describe(dynamodb, export.table)
        except Refused as refused:
            problems += refused.problems
            continue
        if table is None and not settings.create_table:
            problems.append(missing_table(export.table))
    return Tables(found, region, price, tuple(problems), dynamodb)
