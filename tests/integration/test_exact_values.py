"""Values of every type, over their whole range, against the warehouse's own text."""

# ruff: noqa: S311, S608  random values for a test; the SQL has constants of the tests

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from psycopg2.extras import execute_values
from pyspark.sql import SparkSession

from loader.dbt import profile
from loader.items.encoding import column
from loader.items.export import Export, Relation
from loader.items.sort_order import sort_columns
from loader.warehouse.column_types import column_type
from loader.warehouse.columns import describe
from loader.warehouse.ranges import ranges
from loader.warehouse.read import ViewRead, read_rows
from sandbox import Sandbox
from tests.support.projects import PROFILES, project

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.integration

Run = Callable[..., Any]

ROWS = 3000
KINDS = ("redshift", "postgres")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def profiles(kind: str, sandbox: Sandbox, sandbox_env: dict[str, str], monkeypatch: Any) -> str:
    """A profiles.yml of this kind; both are of the same database."""
    text = PROFILES.read_text()
    if kind == "postgres":
        monkeypatch.setenv("REDSHIFT_PORT", str(sandbox.settings.postgres_port))
        text = text.replace("type: redshift\n      method: database", "type: postgres")
    return text


@pytest.fixture
def jvm_in_new_york(spark: SparkSession) -> Iterator[None]:
    """However a JVM comes to have another zone, its default zone is what it has."""
    zones: Any = spark.sparkContext._jvm.java.util.TimeZone  # type: ignore[union-attr]
    default = zones.getDefault()
    zones.setDefault(zones.getTimeZone("America/New_York"))
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    yield
    zones.setDefault(default)
    spark.conf.set("spark.sql.session.timeZone", "UTC")


# --- values over the whole range --------------------------------------------------------------


def date(chance: random.Random) -> str:
    edges = ["0001-01-01", "1582-10-04", "1582-10-05", "1582-10-14", "1582-10-15", "9999-12-31"]
    year = chance.choice([chance.randint(1, 9999), chance.randint(1570, 1590), 1, 1900, 2024])
    day = f"{year:04d}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"
    return chance.choice([*edges, day, day, day, day, day, day])


def time(chance: random.Random) -> str:
    fraction = chance.choice(["", ".5", ".25", ".000001", f".{chance.randint(0, 999_999):06d}"])
    hour = chance.choice([0, 1, 2, 3, chance.randint(0, 23)])
    return f"{hour:02d}:{chance.randint(0, 59):02d}:{chance.randint(0, 59):02d}{fraction}"


def double(chance: random.Random) -> float:
    while True:
        bits = struct.pack("Q", chance.getrandbits(64))
        power = chance.choice([1e23, 2e23, 8.41e21, 2.0**-44, 9007199254740993.0])
        value = chance.choice([struct.unpack("d", bits)[0], chance.random(), power, -0.0, 0.1])
        if value == 0 or 1e-130 < abs(value) < 1e126:
            return float(value)


def real(chance: random.Random) -> float:
    while True:
        (value,) = struct.unpack("f", struct.pack("I", chance.getrandbits(32)))
        if 1e-37 < abs(value) < 1e38:
            return float(value)


def number(chance: random.Random) -> str:
    """Up to 38 digits, anywhere from 1E-130 to 9.99E+125."""
    digits = chance.randint(1, 10 ** chance.randint(1, 38) - 1)
    exponent = chance.randint(-130, 126 - len(str(digits)))
    return f"{chance.choice(['', '-'])}{digits}e{exponent}"


def row(n: int, chance: random.Random) -> tuple[Any, ...]:
    return (
        n,
        date(chance),
        f"{date(chance)} {time(chance)}",
        f"{date(chance)} {time(chance)}",
        time(chance),
        double(chance),
        real(chance),
        chance.choice([chance.randint(-(2**63), 2**63 - 1), -(2**63), 2**63 - 1, 0]),
        number(chance),
        f"{chance.randint(-(10**38) + 1, 10**38 - 1)}e-10",
    )


@pytest.fixture(scope="module")
def values(sandbox: Sandbox) -> str:
    """A table of random values, the same in each run."""
    chance = random.Random(13)
    with closing(sandbox.connect()) as session, session.cursor() as cursor:
        cursor.execute(
            "create schema if not exists analytics; drop table if exists analytics.exact; "
            "create table analytics.exact (n int, d date, ts timestamp, tz timestamptz, t time, "
            "f8 float8, f4 real, i8 bigint, num numeric, num38 numeric(38, 10)); "
            "set timezone = 'UTC'"
        )
        execute_values(
            cursor, "insert into analytics.exact values %s", [row(n, chance) for n in range(ROWS)]
        )
        cursor.execute("insert into analytics.exact (n) values (%s)", (ROWS,))
        cursor.execute(
            "alter table analytics.exact add part int; update analytics.exact set part = n % 4"
        )
        session.commit()
    return "analytics.exact"


def single(text: str | Decimal) -> bytes:
    """The bits of a real; drivers and PostgreSQL write some with more digits than others."""
    return struct.pack("f", float(text))


def published(kind: str, text: str | None) -> Any:
    """How the loader publishes a value whose text in the warehouse is `text`."""
    if text is None or kind == "d":
        return text
    if kind == "ts":
        return text.replace(" ", "T")
    if kind == "tz":
        seconds, _, fraction = text.removesuffix("+00").replace(" ", "T").partition(".")
        return f"{seconds}.{fraction.ljust(6, '0')}Z"
    if kind == "f8":
        # PostgreSQL writes 1e+23 with 16 digits; the shortest text of this double has one.
        return Decimal(repr(float(text)))
    if kind == "f4":
        return single(text)
    return f"1970-01-01T{text}" if kind == "t" else Decimal(text)


def written(dynamodb: DynamoDBClient, table: str) -> list[dict[str, Any]]:
    """The items by n; boto3's own reader raises for an integer of more than 38 digits."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    items = [
        {
            name: single(value) if name == "f4" else Decimal(value) if type_ == "N" else value
            for name, typed in item.items()
            for type_, value in typed.items()
        }
        for page in pages
        for item in page["Items"]
    ]
    return sorted(items, key=lambda item: item["n"])


COLUMNS = ("d", "ts", "tz", "t", "f8", "f4", "i8", "num", "num38")


def test_every_value_is_the_warehouses_own_text_in_any_time_zone_of_the_jvm(
    loader: Run,
    dynamodb: DynamoDBClient,
    sandbox: Sandbox,
    tmp_path: Path,
    kind: str,
    profiles: str,
    values: str,
    jvm_in_new_york: None,
) -> None:
    table = f"exact_{kind}"
    settings = {
        "table": table,
        "key": "n",
        "partition_column": "part",
        "partitions": 4,
        "attributes": list(COLUMNS),
    }
    chosen = project(tmp_path, {table: settings}, values, profiles)

    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table", "--skip-dbt-gate")

    assert run.code == 0, run.err
    texts = ", ".join(f"{name}::text" for name in COLUMNS)
    with closing(sandbox.connect()) as session, session.cursor() as cursor:
        cursor.execute(f"set timezone = 'UTC'; select n, {texts} from {values} order by n")
        expected = [
            {"n": n}
            | {
                name: published(name, text)
                for name, text in zip(COLUMNS, row, strict=True)
                if text is not None
            }
            for n, *row in cursor.fetchall()
        ]
    differences = [
        (name, item.get(name), row.get(name))
        for item, row in zip(written(dynamodb, table), expected, strict=True)
        for name in ("n", *COLUMNS)
        if item.get(name) != row.get(name)
    ]
    assert differences == []


# --- values that an item cannot hold -----------------------------------------------------------

TOO_LONG = "1" * 39
BAD: dict[str, tuple[str, str, str]] = {
    "d": ("date", "-infinity", "must be in the years 0001 to 9999, got -infinity"),
    "d_bc": ("date", "0044-03-15 BC", "must be in the years 0001 to 9999, got 0044-03-15 BC"),
    "d_far": ("date", "10000-01-01", "must be in the years 0001 to 9999, got 10000-01-01"),
    "ts": ("timestamp", "infinity", "must be in the years 0001 to 9999, got infinity"),
    "ts_bc": (
        "timestamp",
        "0001-01-01 07:45:00.5 BC",
        "must be in the years 0001 to 9999, got 0001-01-01 07:45:00.5 BC",
    ),
    "tz": (
        "timestamptz",
        "10000-01-01 00:00:00+00",
        "must be in the years 0001 to 9999, got 10000-01-01 00:00:00",
    ),
    "num": (
        "numeric",
        "NaN",
        "must be a number DynamoDB can hold, with at most 38 digits, got NaN",
    ),
    "num_long": (
        "numeric",
        TOO_LONG,
        f"must be a number DynamoDB can hold, with at most 38 digits, got {TOO_LONG}",
    ),
    "num_large": (
        "numeric",
        "-1e126",
        f"must be a number DynamoDB can hold, with at most 38 digits, got -1{'0' * 58}…",
    ),
    "num_small": (
        "numeric",
        "1e-131",
        f"must be a number DynamoDB can hold, with at most 38 digits, got 0.{'0' * 58}…",
    ),
}


def test_a_value_that_an_item_cannot_hold_is_rejected_by_name_and_the_others_are_written(
    loader: Run, execute: Run, items: Run, tmp_path: Path, kind: str, profiles: str
) -> None:
    execute("create schema if not exists analytics; drop table if exists analytics.bad_values")
    columns = ", ".join(f"{name} {type_}" for name, (type_, _, _) in BAD.items())
    execute(
        "create table analytics.bad_values "
        f"(k text, day date default '2024-01-01', part int, {columns})"
    )
    for name, (_, value, _) in BAD.items():
        execute(
            f"insert into analytics.bad_values (k, part, {name}) values (%s, 0, %s)", name, value
        )
    execute("insert into analytics.bad_values (k, part, num) values ('good', 0, 1e25)")
    execute("insert into analytics.bad_values (k, part, day) values ('key', 0, 'infinity')")
    table = f"bad_values_{kind}"
    settings = {
        "table": table,
        "key": ["k", "day"],
        "partition_column": "part",
        "partitions": 1,
        "attributes": list(BAD),
    }
    chosen = project(tmp_path, {table: settings}, "analytics.bad_values", profiles)

    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table", "--skip-dbt-gate")

    (rejects,) = tmp_path.glob("runs/*/runs/*/rejects.jsonl")
    reasons = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert run.code == 1, run.err
    assert sorted((reject["key"]["k"]["S"], reject["reason"]) for reject in reasons) == sorted(
        [
            ("key", "key column day must be in the years 0001 to 9999, got infinity"),
            *((name, f"column {name} {problem}") for name, (_, _, problem) in BAD.items()),
        ]
    )
    assert items(table) == [{"k": "good", "day": "2024-01-01", "num": Decimal(10**25)}]


# --- order -------------------------------------------------------------------------------------

ORDERED = {
    "d": ("date", ["-infinity", "4713-11-24 BC", "0044-03-15 BC", "0044-03-16 BC", "0001-01-01",
                   "1582-10-10", "1582-10-15", "9999-12-31", "10000-01-01", "20000-01-01",
                   "99999-12-31", "100000-01-01", "2000000-01-01", "infinity"]),
    "ts": ("timestamp", ["-infinity", "4713-11-24 00:00:00 BC", "0044-03-15 00:00:00 BC",
                         "0044-03-15 00:00:00.5 BC", "0001-01-01 00:00:00", "2024-01-01 00:00:00",
                         "2024-01-01 00:00:00.000001", "2024-01-01 00:00:00.5", "9999-12-31",
                         "10000-01-01", "294276-12-31 23:59:59.999999", "infinity"]),
    "tz": ("timestamptz", ["-infinity", "0044-03-15 00:00:00+02 BC", "2024-01-01 01:00:00+02",
                           "2024-01-01 00:00:00+00", "2024-01-01 00:00:00.5+00",
                           "2023-12-31 20:00:00-05", "10000-01-01 00:00:00+00", "infinity"]),
    "t": ("time", ["00:00:00", "00:00:00.0002", "00:00:00.0009", "07:45:00", "24:00:00"]),
    "num": ("numeric", ["-Infinity", "-1e30", "-12", "-1.55", "-1.5", "-1", "-0.05", "0", "0.001",
                        "0.05", "0.99999999999999999999999999999999999999999", "1", "1.5", "1.55",
                        "9.99", "10", "12345678901234567890123456789012345678.1",
                        "12345678901234567890123456789012345678.2", "1e50", "Infinity", "NaN"]),
    "num2": ("numeric(5, 2)", ["-1.5", "-1", "0", "0.05", "2", "10", "100"]),
    "f8": ("float8", ["-1e300", "-1.5", "0", "9", "10", "1e300"]),
    "u": ("uuid", ["00000000-0000-0000-0000-00000000000a", "0a000000-0000-0000-0000-000000000000"]),
}  # fmt: skip


def test_rows_are_sorted_as_the_warehouse_sorts_them(
    spark: SparkSession, execute: Run, profiles: str, kind: str, tmp_path: Path
) -> None:
    names = [name for name in ORDERED if kind == "postgres" or name != "u"]
    execute("create schema if not exists analytics; drop table if exists analytics.ordered")
    columns = ", ".join(f"{name} {ORDERED[name][0]}" for name in names)
    execute(f"create table analytics.ordered (n int, part int, {columns})")
    rows = [(name, value) for name in names for value in random.Random(13).sample(
        [*ORDERED[name][1], None], len(ORDERED[name][1]) + 1)]  # fmt: skip
    for n, (name, value) in enumerate(rows):
        execute(f"insert into analytics.ordered (n, part, {name}) values (%s, 0, %s)", n, value)
    chosen = project(tmp_path, {}, "analytics.ordered", profiles)
    connection = profile.connection(
        profile.read_profile(chosen.folder, chosen.folder, None, None, {}).credentials
    )
    relation = Relation("dev", "analytics", "ordered")
    export = Export("ordered", "m", relation, "t", ("n",), "part", 1, attributes=tuple(names))

    described = describe(spark, connection, relation, export.columns)
    types = {c.name: column_type(c, connection.kind) for c in described}
    view = ViewRead(export, "r", ranges(1, 1), types)
    rows_read = read_rows(spark, connection, view).cache()

    for name in names:
        parts = sort_columns(column(name), types[name].dtype)
        for direction, nulls in (("asc", "first"), ("desc", "last")):
            order = [getattr(part, direction)() for part in parts]
            # One Spark partition: a sort without a shuffle, as in a plan.
            in_order = rows_read.sortWithinPartitions(*order, "n").collect()
            expected = execute(
                f"select n from analytics.ordered order by {name} {direction} nulls {nulls}, n"
            )
            assert [(row.n,) for row in in_order] == expected, name


# --- keys --------------------------------------------------------------------------------------

MEETING = {
    "one_millisecond": ("timestamp", ["2024-01-01 00:00:00.0001", "2024-01-01 00:00:00.0002"]),
    "a_month_of_1582": ("date", ["1582-10-04", "1582-10-05", "1582-10-14", "1582-10-15"]),
    "a_19th_decimal": ("numeric", ["0.0000000000000000001", "0.0000000000000000002", "1.50"]),
    "microseconds": ("time", ["00:00:00.0002", "00:00:00.0009"]),
    "zoned": ("timestamptz", ["2024-01-01 00:00:00.0001+00", "2024-01-01 00:00:00.0002+00"]),
    "uuid": (
        "uuid",
        ["00000000-0000-0000-0000-00000000000a", "0a000000-0000-0000-0000-000000000000"],
    ),
    "interval": ("interval", ["30 days", "1 month"]),
    "json": ("json", ['{"a":1}', '{"a": 1}']),
    "enum": ("analytics.mood", ["sad", "ok"]),
    "inet": ("inet", ["10.0.0.1", "10.0.0.0/8"]),
}
KEY_TEXTS = {
    "2024-01-01 00:00:00.0001": "2024-01-01T00:00:00.0001",
    "2024-01-01 00:00:00.0002": "2024-01-01T00:00:00.0002",
    "2024-01-01 00:00:00.0001+00": "2024-01-01T00:00:00.000100Z",
    "2024-01-01 00:00:00.0002+00": "2024-01-01T00:00:00.000200Z",
    "00:00:00.0002": "1970-01-01T00:00:00.0002",
    "00:00:00.0009": "1970-01-01T00:00:00.0009",
    "1.50": "1.5",
    "1 month": "1 mon",
}


def test_keys_that_differ_stay_different_and_are_counted_as_the_warehouse_counts_them(
    loader: Run,
    execute: Run,
    dynamodb: DynamoDBClient,
    tmp_path: Path,
    kind: str,
    profiles: str,
) -> None:
    """One load of an export for each key column; each value of a key is in its own partition."""
    of_redshift = ("timestamp", "date", "numeric", "time", "timestamptz")
    keys = {n: MEETING[n] for n in MEETING if kind == "postgres" or MEETING[n][0] in of_redshift}
    execute("create schema if not exists analytics; drop type if exists analytics.mood cascade")
    execute("create type analytics.mood as enum ('sad', 'ok')")
    execute("drop table if exists analytics.meeting")
    columns = ", ".join(f"{name} {type_}, {name}_part int" for name, (type_, _) in keys.items())
    execute(f"create table analytics.meeting (n int, {columns})")
    for n in range(12):
        values = [(v[n % len(v)], n % len(v)) for _, v in keys.values()]
        row = [n, *(cell for pair in values for cell in pair)]
        execute(f"insert into analytics.meeting values ({', '.join(['%s'] * len(row))})", *row)
    exports = {
        f"{name}_{kind}": {
            "table": f"{name}_{kind}",
            "key": name,
            "partition_column": f"{name}_part",
            "partitions": 4,
            "collect": {"rows": {"column": "n", "order_by": ["n"]}},
        }
        for name in keys
    }
    chosen = project(tmp_path, exports, "analytics.meeting", profiles)

    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table", "--skip-dbt-gate")

    assert run.code == 0, run.err
    pages = {name: dynamodb.scan(TableName=f"{name}_{kind}")["Items"] for name in keys}
    assert {
        name: {
            next(iter(item[name].values())): [int(n["N"]) for n in item["rows"]["L"]]
            for item in pages[name]
        }
        for name in keys
    } == {
        name: {
            KEY_TEXTS.get(value, value): list(range(n, 12, len(values)))
            for n, value in enumerate(values)
        }
        for name, (_, values) in keys.items()
    }


# --- types that need a cast --------------------------------------------------------------------

OTHER = {
    "interval '1 day 02:00'": "1 day 02:00:00",
    "'07:45:00.5+02'::timetz": "07:45:00.5+02",
    "'{\"a\": [1]}'::json": '{"a": [1]}',
    "'{\"a\": [1]}'::jsonb": '{"a": [1]}',
    "B'10101'": "10101",
    "B'101'::varbit": "101",
    "'$1.50'::money": "$1.50",
    "'10.0.0.1'::inet": "10.0.0.1",
    "point(1, 2)": "(1,2)",
    "'<a/>'::xml": "<a/>",
    "int4range(1, 3)": "[1,3)",
    "'\\x00ff'::bytea": b"\x00\xff",
    "'sad'::analytics.mood": "sad",
    "row(1, null)::analytics.pair": "(1,)",
    "array[1, null]": [1, None],
    "array[array[1], array[2]]": [[1], [2]],
    "array['a', null]": ["a", None],
    "array[0.1::float8]": [Decimal("0.1")],
    "array[date '1582-10-10', null]": ["1582-10-10", None],
    "array[timestamp '1500-01-01 00:00:00.5']": ["1500-01-01T00:00:00.5"],
    "array[timestamptz '1500-01-01 00:00:00.5+00', null]": ["1500-01-01T00:00:00.500000Z", None],
    "array[time '00:00:00.0002']": ["1970-01-01T00:00:00.0002"],
    "array[1::numeric / 4, 1e25]": [Decimal("0.25"), Decimal(10**25)],
    "array['00000000-0000-0000-0000-00000000000a'::uuid]": ["00000000-0000-0000-0000-00000000000a"],
}


def create_others(execute: Run) -> None:
    execute(
        "create schema if not exists analytics; drop type if exists analytics.mood cascade; "
        "drop type if exists analytics.pair cascade; drop table if exists analytics.others; "
        "create type analytics.mood as enum ('sad', 'ok'); "
        "create type analytics.pair as (a int, b text)"
    )
    columns = ", ".join(f"{sql} as c{n}" for n, sql in enumerate(OTHER))
    execute(f"create table analytics.others as select 'k' as k, 0 as part, {columns}")
    execute("insert into analytics.others (k, part) values ('null', 0)")
    # Otherwise PostgreSQL does not know the dimensions of the array.
    matrix = list(OTHER).index("array[array[1], array[2]]")
    execute(f"alter table analytics.others alter c{matrix} type int[][]")


def others(table: str) -> dict[str, Any]:
    return {
        "table": table,
        "key": "k",
        "partition_column": "part",
        "partitions": 1,
        "attributes": [f"c{n}" for n in range(len(OTHER))],
    }


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_any_type_of_postgres_is_written_as_its_text_or_as_a_list(
    loader: Run, execute: Run, items: Run, tmp_path: Path, profiles: str, jvm_in_new_york: None
) -> None:
    create_others(execute)
    chosen = project(tmp_path, {"others": others("others")}, "analytics.others", profiles)

    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table", "--skip-dbt-gate")

    assert run.code == 0, run.err
    expected = {f"c{n}": value for n, value in enumerate(OTHER.values())}
    assert sorted(items("others"), key=lambda item: item["k"]) == [
        {"k": "k", **expected},
        {"k": "null"},
    ]


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("array[array['a', 'b'], array['c', 'd']]", "{{a,b},{c,d}}"),
        ("array[array[1.5, 2], array[3, 4]]", "{{1.5,2},{3,4}}"),
        ("array[array['00:01'::time]]", "{{00:01:00}}"),
    ],
    ids=["text", "numeric", "time"],
)
def test_an_array_of_arrays_ends_the_plan_with_its_value(
    loader: Run, execute: Run, tmp_path: Path, profiles: str, value: str, text: str
) -> None:
    execute("create schema if not exists analytics; drop table if exists analytics.nested")
    execute(f"create table analytics.nested as select 'k' as k, 0 as part, {value} as matrix")
    settings = {
        "table": "nested",
        "key": "k",
        "partition_column": "part",
        "partitions": 1,
        "attributes": ["matrix"],
    }
    chosen = project(tmp_path, {"nested": settings}, "analytics.nested", profiles)

    run = loader("plan", *chosen.arguments, *chosen.storage, "--create-table", "--skip-dbt-gate")

    assert run.code == 1
    assert f'"an array of arrays, to be read as to_jsonb(): {text}". Nothing was written' in run.err


@pytest.mark.parametrize("kind", ["redshift"], indirect=True)
def test_all_columns_of_a_type_that_redshift_does_not_have_are_refused_at_once(
    loader: Run, execute: Run, tmp_path: Path, profiles: str
) -> None:
    create_others(execute)
    chosen = project(tmp_path, {"others": others("others")}, "analytics.others", profiles)

    run = loader("plan", *chosen.arguments, *chosen.storage, "--create-table", "--skip-dbt-gate")

    readable = [1, list(OTHER).index("'\\x00ff'::bytea")]
    refused = [n for n in range(len(OTHER)) if n not in readable]
    problems = [line for line in run.err.splitlines() if "must be of a type" in line]
    assert run.code == 2
    assert len(problems) == len(refused)
    assert problems[0].strip() == (
        "1  column c0 of analytics.others must be of a type that the loader can read, "
        "got interval: cast it in the model, for example `cast(c0 as varchar)`"
    )


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_an_order_that_the_loader_does_not_know_is_refused_by_name(
    loader: Run, execute: Run, tmp_path: Path, profiles: str
) -> None:
    create_others(execute)
    texts = [n for n, value in enumerate(OTHER.values()) if isinstance(value, str)]
    collect = {"list": {"column": "k", "order_by": [f"c{n}" for n in texts]}}
    settings = {**others("others"), "attributes": [], "collect": collect}
    chosen = project(tmp_path, {"others": settings}, "analytics.others", profiles)

    run = loader("plan", *chosen.arguments, *chosen.storage, "--create-table", "--skip-dbt-gate")

    assert run.code == 2
    problems = [line for line in run.err.splitlines() if "order_by" in line]
    assert len(problems) == len(texts)
    assert problems[0].strip() == (
        "1  column c0 of analytics.others must be of a type whose order the loader knows to be in "
        "order_by, got interval: cast it to a number, a date or a text in the model"
    )


@pytest.mark.parametrize("kind", ["postgres"], indirect=True)
def test_a_column_whose_name_differs_in_case_is_refused_with_the_name_to_write(
    loader: Run, execute: Run, tmp_path: Path, profiles: str
) -> None:
    create_others(execute)
    settings = {**others("others"), "attributes": ["C0", "no_such"]}
    chosen = project(tmp_path, {"others": settings}, "analytics.others", profiles)

    run = loader("plan", *chosen.arguments, *chosen.storage, "--create-table", "--skip-dbt-gate")

    assert run.code == 2
    assert (
        "column C0 must be in analytics.others under this name, got c0, which differs in case: "
        "write c0 in the exposure"
    ) in run.err
    assert "column no_such must be in analytics.others, got the columns k, part, c0" in run.err


@pytest.mark.parametrize("kind", ["redshift"], indirect=True)
def test_400_columns_of_all_types_are_written(
    loader: Run, execute: Run, dynamodb: DynamoDBClient, tmp_path: Path, profiles: str
) -> None:
    kinds = [
        "n",
        "n * 1.5",
        "n::text",
        "n > 1",
        "timestamp '2024-01-01' + n * interval '1 day'",
        "date '2024-01-01' + n",
        "time '00:00:00'",
    ]
    rare = {0: "n::float8", 20: "n::numeric / 3"}
    columns = ", ".join(f"{rare.get(c % 40, kinds[c % len(kinds)])} as c{c}" for c in range(400))
    execute("create schema if not exists analytics; drop table if exists analytics.wide")
    execute(
        f"create table analytics.wide as select 'k' || n as k, 0 as part, {columns} "
        "from generate_series(1, 3) as n"
    )
    table = "wide"
    settings = {
        "table": table,
        "key": "k",
        "partition_column": "part",
        "partitions": 1,
        "attributes": [f"c{c}" for c in range(400)],
    }
    chosen = project(tmp_path, {table: settings}, "analytics.wide", profiles)

    run = loader("load", *chosen.arguments, *chosen.storage, "--create-table", "--skip-dbt-gate")

    assert run.code == 0, run.err
    assert [len(item) for item in dynamodb.scan(TableName=table)["Items"]] == [401] * 3
