"""Names from the configuration are quoted wherever they go; hostile ones are loaded here."""

# ruff: noqa: S608  the names in the SQL are quoted by PostgreSQL's own quote_ident

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.manifests import MODEL
from tests.support.projects import project

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
SCHEMA = """an"alytics'; drop schema retail cascade; --"""
RELATION = 'user.items "today" */ `☃` $1 ?'
KEY, SORT = 'user "id"; drop table retail.transactions; --', "pays/*"
PARTITION = 'part"ition` where 1=1'
ITEM, BOUGHT, LINE = "item.id", "bought at", 'line "number" */'
ATTRIBUTES = (
    "select",
    "größe ☃ in m²",
    "pri'ce$1",
    "$$",
    "a?b",
    "%s",
    "back\\slash",
    "UPPER",
    "upper",
    '{"S":"1"}',
    "`tick`.`tock`",
    "\\\"},'x",
    "tab\tand\nline",
    "loader:key",
    "loader:2",
    " ",
)
LIST, SET = 'items"]},"x":{"S":"', "`set`; -- \\u0022 ☃"


@pytest.fixture
def quoted(execute: Run) -> Callable[[str], str]:
    """An identifier as PostgreSQL quotes it."""

    def quote(name: str) -> str:
        [(text,)] = execute("select quote_ident(%s)", name)
        return str(text)

    return quote


def test_hostile_names_of_columns_relation_and_attributes_are_loaded_unchanged(
    loader: Run, execute: Run, items: Run, quoted: Callable[[str], str], tmp_path: Path
) -> None:
    q = {n: quoted(n) for n in (KEY, SORT, PARTITION, ITEM, BOUGHT, LINE, *ATTRIBUTES)}
    relation = f"{quoted(SCHEMA)}.{quoted(RELATION)}"
    constant = ", ".join(f"'{n} of ' || n % 7 as {q[a]}" for n, a in enumerate(ATTRIBUTES))
    execute(f"drop schema if exists {quoted(SCHEMA)} cascade")
    execute(f"create schema {quoted(SCHEMA)}")
    execute(
        f"create table {relation} as select 'u' || n % 7 as {q[KEY]}, 'fr' as {q[SORT]}, "
        f"n % 7 as {q[PARTITION]}, 'i' || n as {q[ITEM]}, n / 50 as {q[BOUGHT]}, "
        f"n as {q[LINE]}, {constant} from generate_series(1, 200) as n"
    )
    order = [f'"{BOUGHT}" desc', '"line ""number"" */" asc']
    settings = {
        "table": "hostile",
        "key": [KEY, SORT],
        "partition_column": PARTITION,
        "partitions": 7,
        "collect": {
            LIST: {"column": ITEM, "order_by": order},
            SET: {"column": LINE, "as": "set", "order_by": order, "limit": 3},
        },
        "attributes": list(ATTRIBUTES),
    }
    dbt_project = project(tmp_path, {"hostile-names": settings}, "x.y")
    manifest = tmp_path / "target" / "manifest.json"
    document = json.loads(manifest.read_text())
    document["nodes"][MODEL] |= {"schema": SCHEMA, "alias": RELATION}
    manifest.write_text(json.dumps(document))

    run = loader(
        "load", *dbt_project.arguments, *dbt_project.storage, "--create-table", "--queries", "3"
    )

    by_key = {item[KEY]: item for item in items("hostile")}
    scalars = ", ".join(f"min({q[name]})" for name in ATTRIBUTES)
    rows = execute(
        f"select {q[KEY]}, min({q[SORT]}), "
        f"array_agg({q[ITEM]} order by {q[BOUGHT]} desc, {q[LINE]}), "
        f"(array_agg({q[LINE]} order by {q[BOUGHT]} desc, {q[LINE]}))[1:3], {scalars} "
        f"from {relation} group by 1"
    )
    assert (run.code, len(rows)) == (0, 7), run.err
    assert by_key == {
        key: {
            KEY: key,
            SORT: sort,
            LIST: codes,
            SET: {*lines},
            **dict(zip(ATTRIBUTES, values, strict=True)),
        }
        for key, sort, codes, lines, *values in rows
    }
    [(purchases,)] = execute("select count(*) from retail.transactions")
    assert purchases == 525_461
