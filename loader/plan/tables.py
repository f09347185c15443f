"""The tables that a run writes to: their descriptions before the run, and their prices."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from loader.aws import Misconfigured, session
from loader.dbt.exposures import shared_table
from loader.dynamodb.description import TableDescription
from loader.dynamodb.estimate import PlannedPuts, estimate
from loader.dynamodb.identity import TableIdentity, identity, new_indexes
from loader.dynamodb.pre_warm import pre_warm, pre_warm_problems, pre_warming
from loader.dynamodb.prices import read_price
from loader.dynamodb.service import Service, reached
from loader.dynamodb.spelling import account_of, is_one_table
from loader.dynamodb.table import ReadyTable, Unanswered, describe, ready
from loader.dynamodb.table_rules import index_notes, index_problems, missing_table
from loader.dynamodb.time_to_live import TimeToLive, read_time_to_live, time_to_live_notes
from loader.errors import Outdated, Refused
from loader.items.export import Export
from loader.items.table_name import full_name, full_parts, region_of
from loader.plan.result import Plan
from loader.settings import Settings
from loader.storage.changeset import CHANGES, Extent, read_extent
from loader.storage.location import Location

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Place(NamedTuple):
    """What decides on a service: the Region of a table's ARN, None for the configured one, and the
    role and external id that its export declares."""

    region: str | None = None
    role_arn: str = ""
    external_id: str = ""


def place_of(export: Export) -> Place:
    return Place(region_of(export.table), export.role_arn, export.external_id)


@dataclass(frozen=True)
class Tables:
    """Descriptions by export; None for a missing table.

    `services` are by export too; one is missing only if there is a problem.
    """

    tables: dict[str, TableDescription | None]
    services: dict[str, Service]
    problems: tuple[str, ...]
    times_to_live: dict[str, TimeToLive] = field(default_factory=dict)

    def identity(self, export: Export) -> tuple[TableIdentity, TableDescription | None]:
        """The export's table before the run, and its description, None if it is missing."""
        address = self.services[export.name].endpoint(export.table)
        described = self.tables[export.name]
        return identity(address, described), described

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
        service = self.services[plan.export]
        address = service.endpoint(plan.table)
        plan.region = address.region
        plan.described = self.tables[plan.export]
        plan.attribute_types = dict(attribute_types)
        plan.identity = identity(address, plan.described)
        table = plan.described or TableDescription(plan.table, tuple(plan.key), "", on_demand=True)
        time_to_live = self.times_to_live.get(plan.export, TimeToLive())
        item = first_item(plan, folder) if time_to_live.attribute else {}
        plan.notes += [
            *index_notes(table, attribute_types),
            *time_to_live_notes(time_to_live, attribute_types, item),
        ]
        if service.price:
            of_all = plan.items - plan.rejected_items + plan.split_items
            plan.estimate, plan.full_estimate = (
                estimate(
                    PlannedPuts(changes, units, attribute_types, bulky_attributes, plan.has_state),
                    table,
                    service.price,
                    plan.write_capacity,
                )
                for changes, units in (
                    (plan.changes, plan.write_units),
                    (of_all, plan.full_write_units),
                )
            )


def describe_tables(
    settings: Settings, exports: Sequence[Export], declared: Mapping[str, str], run: str
) -> Tables:
    """Describe the exports' tables; a missing one is a problem without --create-table.

    `declared` has the full names of the tables of all exports of the project, which must be
    different ones.
    """
    problems: list[str] = []
    # Without an export the AWS configuration is checked too, to report all problems together.
    places = dict.fromkeys(map(place_of, exports)) or {Place(): None}
    services = _services(settings, places, run, problems)
    descriptions: dict[str, TableDescription | None] = {}
    times_to_live: dict[str, TimeToLive] = {}
    unanswered: set[Place] = set()
    for export in exports:
        region, service = region_of(export.table), services.get(place_of(export))
        if service is None or place_of(export) in unanswered:
            continue
        try:
            table = descriptions[export.name] = describe(service.dynamodb, export.table)
        except Refused as refused:
            problems += refused.problems
            if isinstance(refused, Unanswered):
                unanswered.add(place_of(export))
            continue
        if table is None and (region or not settings.create_table):
            problems.append(missing_table(export.table))
        elif settings.pre_warm is not None and (price := service.price):
            planned = table or TableDescription(export.table, (), "", on_demand=True)
            problems += pre_warm_problems(settings.pre_warm, settings.yes, planned, price)
        if table is not None:
            times_to_live[export.name] = read_time_to_live(service.dynamodb, export.table)
    if len(services) == len(places):
        try:
            region = _region(services)
            problems += _other_spellings(settings, region, exports, descriptions, declared)
        except Misconfigured as error:
            problems.append(str(error))
    by_export = {e.name: services[place_of(e)] for e in exports if place_of(e) in services}
    return Tables(descriptions, by_export, tuple(problems), times_to_live)


def _services(
    settings: Settings, places: Iterable[Place], run: str, problems: list[str]
) -> dict[Place, Service]:
    """DynamoDB at each place; adds what is wrong to the problems."""
    services: dict[Place, Service] = {}
    for place in places:
        try:
            services[place] = service = reached(settings, place, place.region, run)
            price = read_price(service.dynamodb.meta.region_name, settings.prices)
            services[place] = replace(service, price=price)
        except Refused as refused:
            problems += refused.problems
    return services


def _region(services: Mapping[Place, Service]) -> str:
    """The Region of tables that are given by their names."""
    for place, service in services.items():
        if place.region is None:
            return service.dynamodb.meta.region_name
    return session().get_config_variable("region") or ""


def first_item(plan: Plan, folder: Location) -> dict[str, object]:
    """An item of the changeset in DynamoDB JSON, {} if the changeset has no put."""
    parts = (part for part in plan.parts if len(part.batches) > part.delete_batches)
    part = next(parts, None)
    if part is None:
        return {}
    extent = Extent(part.partition, part.file, 0, 1)
    (batch,) = read_extent(folder / CHANGES, extent)
    request: dict[str, dict[str, dict[str, object]]] = json.loads(
        batch.column("request")[0].as_py()
    )
    return request.get("PutRequest", {}).get("Item", {})


def _other_spellings(
    settings: Settings,
    region: str,
    exports: Sequence[Export],
    descriptions: Mapping[str, TableDescription | None],
    declared: Mapping[str, str],
) -> list[str]:
    """The exports that give a table by its ARN which another one names."""
    full = {e.name: full_name(e.table, settings.dynamodb_role or e.role_arn) for e in exports}
    named = [descriptions.get(e.name) for e in exports if not full_parts(full[e.name])]
    account = next((account_of(table.arn) for table in named if table), "")
    return [
        shared_table(export.table, [export.name, f"{name} ({table})"])
        for export in exports
        for name, table in declared.items()
        if name != export.name
        and table != full[export.name]
        and is_one_table(full[export.name], table, region, account)
    ]


def ready_table(settings: Settings, service: Service, plan: Plan, folder: Location) -> ReadyTable:
    """The table that was planned; one that is created becomes part of the plan in `folder`.

    Raises `Refused`, or `Outdated` if the table has an index that the plan does not know.
    """
    unknown: list[str] = []

    def rules(table: TableDescription) -> list[str]:
        unknown.extend(new_indexes(plan.described or table, table, plan.attribute_types))
        return [*index_problems(table, plan.attribute_types), *unknown]

    if plan.identity is None:
        raise AssertionError("a plan has the identity of its table")
    dynamodb = service.dynamodb
    try:
        ready_table = ready(
            dynamodb, plan.identity, plan.key, settings.create_table, rules, service.role
        )
    except Refused as refused:
        if unknown:
            raise Outdated(refused.problems, refused.subject) from refused
        raise
    if settings.pre_warm is not None and plan.changes:
        price = read_price(dynamodb.meta.region_name, settings.prices)
        table = ready_table.description
        if problems := [*pre_warm_problems(settings.pre_warm, settings.yes, table, price)]:
            raise Refused(problems)
    if not plan.identity.exists:
        plan.identity = ready_table.identity
        plan.save(folder)
    return ready_table


def pre_warmed(
    settings: Settings, dynamodb: "DynamoDBClient", plan: Plan, table: TableDescription
) -> str | None:
    """Raise the warm throughput of the plan's table if it has changes.

    Returns what was raised, which the plan notes, or None. Raises `Refused`.
    """
    if settings.pre_warm is None or not plan.changes:
        return None
    price = read_price(dynamodb.meta.region_name, settings.prices)
    warming = pre_warming(settings.pre_warm, table, price)
    if not warming.before:
        return None
    pre_warm(dynamodb, warming, settings.stall_minutes)
    plan.notes.append(f"pre-warmed {warming}")
    return plan.notes[-1]
