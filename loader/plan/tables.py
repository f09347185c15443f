"""The tables that a run writes to: their descriptions before the run, and their prices."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loader.dbt.exposures import shared_table
from loader.dynamodb.description import TableDescription
from loader.dynamodb.estimate import PlannedPuts, estimate
from loader.dynamodb.identity import identity, new_indexes
from loader.dynamodb.prices import Price, read_price
from loader.dynamodb.spelling import account_of, is_one_table
from loader.dynamodb.table import ReadyTable, client, describe, endpoint, ready
from loader.dynamodb.table_rules import index_notes, index_problems, missing_table
from loader.dynamodb.time_to_live import TimeToLive, read_time_to_live, time_to_live_notes
from loader.errors import Refused
from loader.items.export import Export
from loader.plan.result import Plan
from loader.settings import Settings
from loader.storage.changeset import CHANGES, Extent, read_extent
from loader.storage.location import Location

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Tables:
    """Descriptions by export (None for a missing table), the region and its prices.

    `price` and the client `dynamodb` are None only if there is a problem.
    """

    tables: dict[str, TableDescription | None]
    region: str
    price: Price | None
    problems: tuple[str, ...]
    dynamodb: "DynamoDBClient | None" = None
    times_to_live: dict[str, TimeToLive] = field(default_factory=dict)

    def add_estimate(
        self,
        plan: Plan,
        folder: Location,
        attribute_types: Mapping[str, str],
        bulky_attributes: frozenset[str],
    ) -> None:
        """Add the table's description and the cost estimate to the plan, which is in `folder`.

        `attribute_types` and `bulky_attributes` are those of `PlannedPuts`. The loader creates
        tables on demand.
        """
        plan.region = self.region
        plan.described = self.tables[plan.export]
        plan.attribute_types = dict(attribute_types)
        if self.dynamodb:
            address = endpoint(self.dynamodb, plan.table)
            plan.identity = identity(address, plan.described)
        table = plan.described or TableDescription(plan.table, tuple(plan.key), "", on_demand=True)
        time_to_live = self.times_to_live.get(plan.export, TimeToLive())
        item = first_item(plan, folder) if time_to_live.attribute else {}
        plan.notes = [
            *index_notes(table, attribute_types),
            *time_to_live_notes(time_to_live, attribute_types, item),
        ]
        if self.price:
            puts = PlannedPuts(plan.changes, plan.write_units, attribute_types, bulky_attributes)
            plan.estimate = estimate(puts, table, self.price)


def describe_tables(
    settings: Settings, exports: Sequence[Export], declared: Mapping[str, str]
) -> Tables:
    """Describe the exports' tables; a missing one is a problem without --create-table.

    `declared` has the tables of all exports of the project, which must be different ones.
    """
    descriptions: dict[str, TableDescription | None] = {}
    problems: list[str] = []
    price: Price | None = None
    try:
        dynamodb = client(settings.allow_plain_http)
    except Refused as refused:
        return Tables(descriptions, "", price, tuple(refused.problems))
    region = dynamodb.meta.region_name
    try:
        price = read_price(region, settings.prices)
    except Refused as refused:
        problems += refused.problems
    times_to_live: dict[str, TimeToLive] = {}
    for export in exports:
        try:
            table = descriptions[export.name] = describe(dynamodb, export.table)
        except Refused as refused:
            problems += refused.problems
            continue
        if table is None and not settings.create_table:
            problems.append(missing_table(export.table))
        if table is not None:
            times_to_live[export.name] = read_time_to_live(dynamodb, export.table)
    problems += _other_spellings(region, exports, descriptions, declared)
    return Tables(descriptions, region, price, tuple(problems), dynamodb, times_to_live)


def first_item(plan: Plan, folder: Location) -> dict[str, object]:
    """An item of the changeset in DynamoDB JSON, {} if the changeset is empty."""
    part = next((part for part in plan.parts if part.batches), None)
    if part is None:
        return {}
    extent = Extent(part.partition, part.file, 0, 1)
    (batch,) = read_extent(folder / CHANGES, extent)
    item: dict[str, object] = json.loads(batch.column("request")[0].as_py())["PutRequest"]["Item"]
    return item


def _other_spellings(
    region: str,
    exports: Sequence[Export],
    descriptions: Mapping[str, TableDescription | None],
    declared: Mapping[str, str],
) -> list[str]:
    """The exports that give a table by its ARN which another one names."""
    named = [descriptions.get(e.name) for e in exports if not account_of(e.table)]
    account = next((account_of(table.arn) for table in named if table), "")
    return [
        shared_table(export.table, [export.name, f"{name} ({table})"])
        for export in exports
        for name, table in declared.items()
        if table != export.table and is_one_table(export.table, table, region, account)
    ]


def ready_table(
    settings: Settings, dynamodb: "DynamoDBClient", plan: Plan, folder: Location
) -> ReadyTable:
    """The table that was planned; one that is created becomes part of the plan in `folder`."""

    def rules(table: TableDescription) -> list[str]:
        return [
            *index_problems(table, plan.attribute_types),
            *new_indexes(plan.described or table, table, plan.attribute_types),
        ]

    if plan.identity is None:
        raise AssertionError("a plan has the identity of its table")
    ready_table = ready(dynamodb, plan.identity, plan.key, settings.create_table, rules)
    if not plan.identity.exists:
        plan.identity = ready_table.identity
        plan.save(folder)
    return ready_table
