"""Exports, and the settings of exposures with the exports or problems that they result in."""

from typing import Any

import pytest

from loader.dbt.exposures import select_exports
from loader.errors import Refused
from loader.items.export import Export, Relation
from tests.support.manifests import exposure, manifest

KEYED = Export(
    name="user_items",
    model="stg_orders",
    relation=Relation("dev", "public", "stg_orders"),
    table="user_items",
    key=("user_id",),
    partition_column="partition_id",
    partitions=30,
)
HOSTILE = Export(
    name="a */ drop table x; --",
    model="m",
    relation=Relation("dev", 's"', 't" where 1=1 --'),
    table="t",
    key=('k", (select 1) as "z',),
    partition_column="p*/",
    partitions=1,
)
SHORT = Export("e", "m", Relation("db", "analytics", "m"), "t", ("user",), "p", 4)

GOOD: dict[str, Any] = {
    "table": "user_items",
    "key": "user_id",
    "partition_column": "partition_id",
    "partitions": 30,
    "collect": {"items": {"column": "item_id", "order_by": ["purchased_at", "line"]}},
}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def collecting(**settings: Any) -> dict[str, Any]:
    return {**GOOD, "collect": {"items": {"column": "item_id", **settings}}}


def export_of(settings: dict[str, Any]) -> Export:
    (export,) = select_exports(manifest(exposure("user_items", settings)), [])
    return export


def problems_of(*exposures: dict[str, Any], names: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(Refused) as refused:
        select_exports(manifest(*exposures), names)
    return refused.value.problems
