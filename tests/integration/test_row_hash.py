"""Hashes of rows and keys: the warehouse's numbers against the values that the loader reads."""

# ruff: noqa: S311, S608  random values for a test; the SQL has constants of the tests

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from loader.items.export import Export, Relation
from loader.spark import failures
from loader.warehouse.column_types import ColumnType, column_type
from loader.warehouse.columns import describe
from loader.warehouse.connection import Connection
from loader.warehouse.key_hashes import ROW_COUNT, ROWS_HASH, read_key_hashes
from loader.warehouse.ranges import Ranges, ranges
from loader.warehouse.read import (
    KEY_HASH,
    ROW_HASH,
    ViewRead,
    added_name,
    read_rows,
    read_rows_of_keys,
)
from loader.warehouse.row_hash import RowHash, row_hash
from loader.warehouse.sign_in import Secrets, SignIn
from sandbox import Sandbox

pytestmark = pytest.mark.integration

Run = Callable[..., Any]

# SQL of values that are read differently, by the type of the column.
TEXTS = ["''", "' '", "'a'", "'a '", "'A'", "'null'", "'1:a'", "'.'", "';'", "'é'", "'e\u0301'"]
LONG = ["repeat('x', 65535)", "repeat('x', 65534) || 'y'"]
MOMENTS = [
    "2024-01-01 00:00:00",
    "2024-01-01 00:00:00.000001",
    "2024-01-02 00:00:00",
    "0044-03-15 00:00:00 BC",
    "infinity",
    "-infinity",
]
BOTH = {
    "smallint": ["0", "1", "-1"],
    "integer": ["0", "1", "2147483647"],
    "bigint": ["0", "1", "4294967296", "4294967297", "-9223372036854775808"],
    "double precision": ["0", "'-0'", "1.5", "1.5000000000000002", "'NaN'", "'Infinity'", "1e23"],
    "real": ["0", "1.5", "1.5000001"],
    "numeric(38, 10)": ["0", "1.5", "1.5000000001", "-1.5"],
    "boolean": ["true", "false"],
    "varchar": [*TEXTS, *LONG],
    "char(3)": ["''", "'a'", "' a'", "'A'"],
    "date": ["'2024-01-01'", "'2024-01-02'", "'0044-03-15 BC'", "'infinity'"],
    "timestamp": [f"'{moment}'" for moment in MOMENTS],
    "timestamptz": [*(f"'{moment}'" for moment in MOMENTS), "'2024-01-01 00:00:00+02'"],
    "time": ["'00:00:00'", "'00:00:00.000001'", "'24:00:00'"],
    "timetz": ["'00:00:00+00'", "'00:00:00+01'"],
    "bytea": [r"'\x'", r"'\x00'", r"'\x0000'", r"'\x20'"],
}
POSTGRES = {
    "text": [*TEXTS, *LONG, "repeat('x', 70000)", "repeat('x', 69999) || 'y'"],
    "bpchar": ["''", "'a'", "'a '"],
    "name": ["''", "'a'", "'a '"],
    '"char"': ["''", "'a'", "'A'"],
    'text collate "any_case"': ["'a'", "'A'", "'a '"],
    "numeric": ["1.5", "1.50000000000000000000000000000000000000000001", "'NaN'", "1e130"],
    "uuid": ["'00000000-0000-0000-0000-000000000000'", "'00000000-0000-0000-0000-000000000001'"],
    "json": ["'{}'", "'{ }'", "'null'", "'\"\"'"],
    "jsonb": ["'{}'", "'null'", "'{\"a\": 1}'", '\'{"a": "1"}\''],
    "interval": ["'1 day'", "'24 hours'"],
    "inet": ["'10.0.0.1'", "'10.0.0.1/8'"],
    "integer[]": ["'{}'", "'{1,2}'", "'{12}'", "'{null,1}'", "'{1,null}'"],
    "text[]": ["'{}'", "'{null}'", "'{\"null\"}'", "'{\"\"}'", "'{\"a,b\"}'", "'{a,b}'"],
    "numeric[]": ["'{1.5}'", "'{1.51}'"],
    "float8[]": ["'{1.5}'", "'{1.5000000000000002}'"],
    "timestamptz[]": ["'{2024-01-01}'", "'{2024-01-01 00:00:00+02}'"],
    "bytea[]": [r"array['\x00'::bytea]", r"array['\x0000'::bytea]"],
}
# Two texts, two numbers and a flag, of which random rows are made.
MIXED = {
    "varchar": ["null", *TEXTS, "'1:a;'", "'a;'", "';a'", "'.a'"],
    "integer": ["null", "0", "1", "11"],
    "boolean": ["null", "true", "false"],
}
MIXTURE = ("varchar", "varchar", "integer", "integer", "boolean")


@pytest.fixture(params=["redshift", "postgres"])
def connection(request: pytest.FixtureRequest, sandbox: Sandbox) -> Connection:
    env, kind = sandbox.env(), str(request.param)
    port = env["REDSHIFT_PORT"] if kind == "redshift" else str(sandbox.settings.postgres_port)
    return Connection(
        kind,
        env["REDSHIFT_HOST"],
        int(port),
        env["REDSHIFT_DATABASE"],
        SignIn(user=env["REDSHIFT_USER"]),
        Secrets(env["REDSHIFT_PASSWORD"]),
        (("ssl", "false"),),
    )


def exported(relation: str, key: Sequence[str], attributes: Iterable[str]) -> Export:
    return Export(
        "hashed",
        "m",
        Relation("dev", "analytics", relation),
        "t",
        tuple(key),
        "part",
        4,
        attributes=tuple(attributes),
    )


def hashed(
    spark: SparkSession, connection: Connection, export: Export
) -> tuple[RowHash, dict[str, ColumnType]]:
    columns = describe(spark, connection, export.relation, export.columns)
    found = row_hash(export, columns, connection.kind)
    assert isinstance(found, RowHash), found
    return found, {c.name: column_type(c, connection.kind) for c in columns}


def values_and_hashes(rows: DataFrame) -> list[tuple[str, int]]:
    """Each row as text, without its last column, and its last column."""
    return [(repr(tuple(row)[:-1]), row[-1]) for row in rows.collect()]


def test_rows_have_one_hash_if_and_only_if_they_are_read_as_equal(
    spark: SparkSession, execute: Run, connection: Connection
) -> None:
    chance = random.Random(13)
    execute("create schema if not exists analytics; drop table if exists analytics.hashed")
    execute(
        "create collation if not exists any_case "
        "(provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
    )
    values = BOTH | (POSTGRES if connection.kind == "postgres" else {})
    types = [*values, *MIXTURE]
    columns = ", ".join(f"c{n} {type_}" for n, type_ in enumerate(types))
    execute(f"create table analytics.hashed (k varchar default 'k', part int default 0, {columns})")
    for n, chosen in enumerate(values.values()):
        execute(f"insert into analytics.hashed (c{n}) values ({'), ('.join(chosen)})")
    mixed = [", ".join(chance.choice(MIXED[t]) for t in MIXTURE) for _ in range(2000)]
    names = ", ".join(f"c{n}" for n in range(len(values), len(types)))
    execute(f"insert into analytics.hashed ({names}) values ({'), ('.join(mixed)})")
    export = exported("hashed", ["k"], [f"c{n}" for n in range(len(types))])

    hashes, read_types = hashed(spark, connection, export)
    rows = values_and_hashes(
        read_rows(spark, connection, ViewRead(export, "r", ranges(4, 1), read_types), hashes)
    )

    by_hash, by_value = defaultdict(set), defaultdict(set)
    for value, number in rows:
        by_hash[number].add(value)
        by_value[value].add(number)
    assert [found for found in by_hash.values() if len(found) > 1] == []
    assert [value for value, found in by_value.items() if len(found) > 1] == []


KEY, DAY, PARTITION, ITEM = 'a"b', "loader:x", "part", "UPPER"
ODD = (KEY, DAY, ITEM, "loader:row_hash")
KEYS = ["'a'", "'a '", "'A'", "''", "null", "'é'", "'x;y'", "'null'"]
DAYS = ["'2024-01-01'", "'2024-01-02'", "null"]


def key_table(execute: Run) -> None:
    """Each key in a partition, also in those that no query is for, with 1 to 3 rows."""
    key, day, item, odd = ('"' + name.replace('"', '""') + '"' for name in ODD)
    execute("create schema if not exists analytics; drop table if exists analytics.keyed")
    execute(
        f"create table analytics.keyed ({key} varchar, {day} date, part int, {item} int, "
        f"{odd} varchar)"
    )
    pairs = [(k, d) for k in KEYS for d in DAYS]
    rows = [
        f"({k}, {d}, {partition}, {line}, 'odd')"
        for n, (k, d) in enumerate(pairs)
        for partition in [["-1", "0", "1", "2", "3", "7", "null"][n % 7]]
        for line in range(n % 3 + 1)
    ]
    execute(f"insert into analytics.keyed values {', '.join(rows)}")


@pytest.mark.parametrize("read", [ranges(4, 1), ranges(4, 4)], ids=str)
def test_keys_have_the_sums_of_their_rows_and_rows_are_found_by_the_hashes_of_their_keys(
    spark: SparkSession, execute: Run, connection: Connection, read: Ranges
) -> None:
    key_table(execute)
    export = exported("keyed", [KEY, DAY], [ITEM, "loader:row_hash"])
    hashes, types = hashed(spark, connection, export)
    arguments = (spark, connection, ViewRead(export, "r", read, types))

    keys = read_key_hashes(*arguments, hashes)
    rows = read_rows(*arguments, hashes)

    name = added_name(ROW_HASH, export)
    assert rows.columns == [*export.columns, name]
    assert keys.columns == ["part", KEY, DAY, ROW_COUNT, ROWS_HASH, KEY_HASH]
    assert keys.schema[:3] == rows.select("part", f"`{KEY}`", f"`{DAY}`").schema[:]
    assert [field.dataType.simpleString() for field in keys.schema[3:]] == [
        "bigint",
        "bigint",
        "bigint",
    ]
    every = rows.collect()
    found = keys.collect()
    counts = Counter((row.part, row[KEY], row[DAY]) for row in every)
    sums: dict[Any, int] = defaultdict(int)
    for row in every:
        sums[row.part, row[KEY], row[DAY]] += row[name]
    assert {tuple(row)[:3]: row[ROW_COUNT] for row in found} == counts
    assert {tuple(row)[:3]: row[ROWS_HASH] for row in found} == {
        key: abs(total) % 2**63 * (1 if total > 0 else -1) for key, total in sums.items()
    }
    assert len(found) == len(counts) == len({row[KEY_HASH] for row in found})

    by_task = keys.rdd.glom().collect()
    wanted = [
        [row[KEY_HASH] for n, row in enumerate(task) if row[KEY] is None or n % 2]
        for task in by_task
    ]
    # A range without changed keys.
    wanted[2:3] = [[]] * len(wanted[2:3])
    some = read_rows_of_keys(*arguments, hashes, wanted)
    keys_wanted = {
        tuple(row)[:3]
        for task, numbers in zip(by_task, wanted, strict=True)
        for row in task
        if row[KEY_HASH] in numbers
    }
    assert some.schema == rows.schema
    assert some.rdd.getNumPartitions() == sum(map(bool, wanted))
    assert sorted(map(repr, some.collect())) == sorted(
        repr(row) for row in every if (row.part, row[KEY], row[DAY]) in keys_wanted
    )


def test_a_warehouse_that_cannot_hash_says_so_before_the_first_row(
    spark: SparkSession, execute: Run, connection: Connection
) -> None:
    key_table(execute)
    export = exported("keyed", [KEY, DAY], [ITEM])
    _, types = hashed(spark, connection, export)
    view = ViewRead(export, "r", ranges(4, 1), types)
    unknown = RowHash("no_such_function(1)", "no_such_function(2)", "v")

    with pytest.raises(Exception, match="no_such_function") as failed:
        read_rows(spark, connection, view, unknown)

    _, cause = failures.failure(failed.value)
    assert cause.startswith("ERROR: function no_such_function(integer) does not exist")
    assert read_rows(spark, connection, view).count() == 48
