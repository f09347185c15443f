"""The tables that a run writes to, as they are before it: described, and priced."""

from collections.abc import Sequence
from dataclasses import dataclass

from loader.apply import table as tables
from loader.apply.description import TableDescription
from loader.checks import missing_table
from loader.errors import Refused
from loader.exports import Export
from loader.prices import Price, read_price
from loader.settings import Settings


@dataclass(frozen=True)
class Targets:
    """The tables of the exports by export, None where there is none; their region, its prices."""

    tables: dict[str, TableDescription | None]
    region: str
    price: Price | None
    problems: tuple[str, ...]


def open_targets(settings: Settings, exports: Sequence[Export]) -> Targets:
    """Describe the exports' tables; one that may not be missing is a problem."""
    found: dict[str, TableDescription | None] = {}
    problems: list[str] = []
    price: Price | None = None
    region = ""
    try:
        dynamodb = tables.client()
        region = dynamodb.meta.region_name
        price = read_price(region, settings.prices)
    except Refused as refused:
        return Targets(found, region, price, tuple(refused.problems))
    for export in exports:
        try:
            table = found[export.name] = tables.describe(dynamodb, export.table)
        except Refused as refused:
            problems += refused.problems
            continue
        if table is None and not settings.create_table:
            problems.append(missing_table(export.table))
    return Targets(found, region, price, tuple(problems))
