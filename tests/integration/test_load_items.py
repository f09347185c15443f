"""Loads of rows with unusual keys and values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from loader.items import encoded_rows
from tests.support.projects import Project, export, project
from tests.support.purchases import STAGING, items_of_users, purchases_of_users
from tests.support.report_schema import report_problems

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
Items = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def schema(execute: Run) -> None:
    execute("create schema if not exists analytics")


def test_every_kind_of_attribute_is_written(
    loader: Run, execute: Run, items: Items, tmp_path: Path
) -> None:
    """Sort key, scalars, an omitted NULL, set, distinct, limit, descending order, quoted names."""
    execute("drop table if exists analytics.many_kinds")
    execute(
        '''
        create table analytics.many_kinds as
        select 'k"' || (n % 2) as "the ""key""", n % 2 as part, (n / 4)::bigint as sort_key,
            n as n, n % 3 as few, 'é\\' || n as text_, n * 1.50::numeric(38, 2) as price,
            null::text as nothing, true as flag, date '2009-12-01' as day_,
            timestamp '2009-12-01 07:45:00.5' as moment
        from generate_series(0, 15) as n
        '''
    )
    settings = {
        "table": "many_kinds",
        "key": ['the "key"', "sort_key"],
        "partition_column": "part",
        "partitions": 2,
        "collect": {
            "all": {"column": "text_", "order_by": ["n desc"]},
            "few": {"column": "few", "as": "set", "order_by": ["n desc"]},
            "once": {"column": "few", "distinct": True, "order_by": ["n desc"]},
            "last": {"column": "price", "limit": 1, "order_by": ["n desc"]},
        },
        "attributes": ["nothing", "flag", "day_", "moment"],
    }
    chosen = project(tmp_path, {"many_kinds": settings}, "analytics.many_kinds")

    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table", "--queries", "1")

    assert run.code == 0
    assert sorted(items("many_kinds"), key=lambda i: (i["sort_key"], i['the "key"'])) == [
        {
            'the "key"': f'k"{odd}',
            "sort_key": four,
            "all": [f"é\\{n}" for n in (4 * four + 2 + odd, 4 * four + odd)],
            "few": {n % 3 for n in (4 * four + 2 + odd, 4 * four + odd)},
            "once": [n % 3 for n in (4 * four + 2 + odd, 4 * four + odd)],
            "last": [pa.scalar(4 * four + 2 + odd).as_py() * 15 / 10],
            "flag": True,
            "day_": "2009-12-01",
            "moment": "2009-12-01T07:45:00.5",
        }
        for four in range(4)
        for odd in range(2)
    ]


def test_rows_without_a_key_and_too_large_items_are_rejected_with_their_reason(
    loader: Run, execute: Run, items: Items, tmp_path: Path
) -> None:
    execute("drop table if exists analytics.some_bad")
    execute(
        """
        create table analytics.some_bad as
        select null::text as k, null::int as part, 'x' as v, n from generate_series(1, 3) as n
        union all select 'good', 1, 'x', 1
        union all select 'big', 0, repeat('y', 4096), n from generate_series(1, 101) as n
        union all select '', 1, 'x', 1
        """
    )
    settings = export(
        "some_bad", key="k", partition_column="part", partitions=2,
        collect={"v": {"column": "v", "order_by": ["n"]}},
    )  # fmt: skip
    chosen = project(tmp_path, {"some_bad": settings}, "analytics.some_bad")

    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table")

    report, folder = run.out.splitlines(), sorted((tmp_path / "runs/some_bad/runs").iterdir())[0]
    assert run.code == 1
    assert report[1:3] + report[7:] == [
        "  rows       106 read = 103 grouped + 3 rejected",
        "  items      3 = 1 put + 0 unchanged + 2 rejected;  0 deleted",
        "  rejected   3 rows without a key, 2 items",
        "             item k big: item must be at most 409600 bytes, got 413805",
        "             3 rows: key column k must not be NULL, got NULL",
        "             item k : key column k must not be empty, got ''",
        f"  list       {folder}/rejects.jsonl",
        f"  report     {folder}/report.html",
        "Fix the rows or the export, then:  loader load --export some_bad "
        f"--project-dir {tmp_path} --target sandbox --storage {tmp_path}/runs --create-table",
    ]
    assert report_problems(json.loads((folder / "report.json").read_text())) == []
    assert items("some_bad") == [{"k": "good", "v": ["x"]}]


def test_a_partition_with_colliding_hashes_is_read_again_sorted_by_key(
    loader: Run,
    retail: Project,
    execute: Run,
    items: Items,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The patched sort key is the same for all keys of a partition."""
    monkeypatch.setattr(
        encoded_rows, "_sort_key", lambda export: F.col("partition_id").cast("long")
    )
    unordered = export("collided", collect={"items": {"column": "item_id"}})
    chosen = project(tmp_path / "project", {"collided": unordered}, STAGING)

    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table")

    assert run.code == 0, run.err
    written, purchases = items_of_users(items, "collided"), purchases_of_users(execute)
    assert {user: sorted(codes) for user, codes in written.items()} == {
        user: sorted(codes) for user, codes in purchases.items()
    }


def test_keys_that_are_equal_only_for_the_warehouse_are_separate_items(
    loader: Run, execute: Run, items: Items, tmp_path: Path
) -> None:
    """As with a case-insensitive collation, or with trailing blanks, on Redshift."""
    if not execute("select 1 from pg_collation where collprovider = 'i' limit 1"):
        pytest.skip("this PostgreSQL was built without ICU")
    execute("drop table if exists analytics.two_cases")
    execute(
        "create collation if not exists analytics.any_case "
        "(provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
    )
    execute(
        "create table analytics.two_cases as select "
        "cast(case n % 2 when 0 then 'user' else 'USER' end as varchar) collate analytics.any_case "
        "as user_id, n % 2 as partition_id, "
        "'i' || n as item_id, n as line_number, now()::timestamp as purchased_at "
        "from generate_series(1, 4) as n"
    )
    chosen = project(tmp_path, {"cases": export("cases")}, "analytics.two_cases")

    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table")

    assert run.code == 0, run.err
    assert items_of_users(items, "cases") == {"user": ["i2", "i4"], "USER": ["i1", "i3"]}
