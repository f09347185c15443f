from dataclasses import replace
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import pytest
from pyspark.sql import types as T

from loader.items.export import Collect, Order, Relation
from loader.warehouse.column_types import ColumnType, column_type
from loader.warehouse.columns import Column
from loader.warehouse.connection import Connection
from loader.warehouse.jdbc_query import qualified, sql_identifier
from loader.warehouse.ranges import Ranges, ranges
from loader.warehouse.read import (
    ROW_HASH,
    ViewRead,
    added_name,
    jdbc_options,
    labelled_query,
    partition_options,
    range_condition,
    source_schema,
)
from loader.warehouse.sign_in import Secrets, SignIn
from tests.support.exports import HOSTILE, KEYED

PASSWORD = "s3cr3t"  # noqa: S105
USER = SignIn(user="loader")
EXPORT = replace(KEYED, collect=(Collect("items", "item_id"),), order_by=(Order("purchased_at"),))
REDSHIFT = Connection(
    "redshift", "h.example.com", 5439, "dev", USER, Secrets(PASSWORD), (("ssl", "true"),)
)


PLAIN = ColumnType(T.StringType())
TYPES = dict.fromkeys((*EXPORT.columns, *HOSTILE.columns), PLAIN)


def view(ranges: Ranges) -> ViewRead:
    return ViewRead(EXPORT, "r", ranges, TYPES)


def spark_ranges(options: dict[str, str]) -> list[tuple[int | None, int | None]]:
    """The ranges [lower, upper) per task as Spark's JDBCRelation.columnPartition computes them."""
    lower, upper = int(options["lowerBound"]), int(options["upperBound"])
    tasks = min(int(options["numPartitions"]), upper - lower)
    fine = Decimal("1e-18")
    precise = (Decimal(upper) / tasks).quantize(fine, ROUND_HALF_EVEN) - (
        Decimal(lower) / tasks
    ).quantize(fine, ROUND_HALF_EVEN)
    stride = int(precise)
    lost = (precise - stride) * tasks / stride
    start = lower + int((lost / 2 * stride).quantize(Decimal(1), ROUND_HALF_UP))
    edges = [start + stride * task for task in range(1, tasks)]
    return list(zip([None, *edges], [*edges, None], strict=True))


def test_every_partition_is_read_by_exactly_one_query() -> None:
    for partitions in range(1, 65):
        for queries in range(1, 65):
            read = ranges(partitions, queries)
            ids = [i for query in range(read.queries) for i in read.ids(query)]

            assert ids == list(range(partitions)), (partitions, queries)
            assert read.queries <= queries, (partitions, queries)


def test_every_query_but_the_last_reads_stride_partitions_and_none_is_empty() -> None:
    for partitions in range(1, 65):
        for queries in range(1, 65):
            read = ranges(partitions, queries)
            *full, last = [len(read.ids(query)) for query in range(read.queries)]

            assert set(full) <= {read.stride}, (partitions, queries)
            assert 1 <= last <= read.stride, (partitions, queries)


@pytest.mark.parametrize(
    ("partitions", "queries", "read", "made"),
    [
        (30, 8, Ranges(30, 4), 8),
        (30, 30, Ranges(30, 1), 30),
        (30, 64, Ranges(30, 1), 30),
        (30, 1, Ranges(30, 30), 1),
        (9, 8, Ranges(9, 2), 5),
        (1, 8, Ranges(1, 1), 1),
    ],
)
def test_partitions_are_dealt_in_equal_strides(
    partitions: int, queries: int, read: Ranges, made: int
) -> None:
    assert (ranges(partitions, queries), read.queries) == (read, made)


def test_spark_cuts_the_ranges_where_we_do() -> None:
    for partitions in range(1, 65):
        for queries in range(1, 65):
            read = ranges(partitions, queries)
            options = partition_options(view(read))
            if not options:
                assert read.queries == 1
                continue
            cuts = spark_ranges(options)

            assert len(cuts) == read.queries, (partitions, queries)
            for query, (lower, upper) in enumerate(cuts):
                read_by_spark = [
                    i
                    for i in range(partitions)
                    if (lower is None or i >= lower) and (upper is None or i < upper)
                ]
                assert read_by_spark == list(read.ids(query)), (partitions, queries)


def test_spark_gets_bounds_that_are_multiples_of_the_stride() -> None:
    assert partition_options(view(ranges(30, 8))) == {
        "partitionColumn": "partition_id",
        "lowerBound": "0",
        "upperBound": "32",
        "numPartitions": "8",
    }


def test_one_query_needs_no_ranges() -> None:
    assert partition_options(view(ranges(30, 1))) == {}


@pytest.mark.parametrize(
    ("queries", "conditions"),
    [
        (1, ["1=1"]),
        (2, ['("partition_id" < 15 or "partition_id" is null)', '"partition_id" >= 15']),
        (
            3,
            [
                '("partition_id" < 10 or "partition_id" is null)',
                '"partition_id" >= 10 and "partition_id" < 20',
                '"partition_id" >= 20',
            ],
        ),
    ],
)
def test_the_first_and_the_last_query_read_the_partitions_that_are_out_of_range(
    queries: int, conditions: list[str]
) -> None:
    read = ranges(30, queries)

    assert [range_condition(view(read), query) for query in range(queries)] == conditions


def test_an_added_column_has_a_name_that_no_column_of_the_view_has() -> None:
    taken = replace(EXPORT, attributes=(ROW_HASH, f"{ROW_HASH}:"))

    assert added_name(ROW_HASH, EXPORT) == "loader:row_hash"
    assert added_name(ROW_HASH, taken) == "loader:row_hash::"


@pytest.mark.parametrize(
    ("name", "quote", "sql"),
    [
        ("user_id", '"', '"user_id"'),
        ("Größe in m²", '"', '"Größe in m²"'),
        ('x" from y; --', '"', '"x"" from y; --"'),
        ('""', '"', '""""""'),
        ('a`"b', "`", '`a``"b`'),
        ("a]b[c", "[]", "[a]]b[c]"),
    ],
)
def test_an_identifier_is_quoted_whatever_characters_it_has(
    name: str, quote: str, sql: str
) -> None:
    assert sql_identifier(name, quote) == sql


def test_a_relation_is_named_by_schema_and_identifier() -> None:
    relation = Relation("dev", 'my "schema"', "stg.orders")

    assert qualified(relation) == '"my ""schema"""."stg.orders"'
    assert qualified(relation, "`") == '`my "schema"`.`stg.orders`'


def test_the_query_names_its_columns_and_its_run() -> None:
    assert labelled_query(replace(view(ranges(30, 8)), run="2026-01-02T03-04-05Z")) == (
        "(select /* loader run=2026-01-02T03-04-05Z export=user_items partitions=30 queries=8 */ "
        '"user_id", "partition_id", "item_id", "purchased_at" from "public"."stg_orders") "q"'
    )


def test_the_warehouse_writes_a_timestamp_as_text() -> None:
    moment = column_type(Column("purchased_at", "timestamp", 29, 6), "redshift")
    query = labelled_query(replace(view(ranges(30, 8)), types={**TYPES, "purchased_at": moment}))

    assert query == (
        "(select /* loader run=r export=user_items partitions=30 queries=8 */ "
        '"user_id", "partition_id", "item_id", cast("purchased_at" as varchar) as "purchased_at" '
        'from "public"."stg_orders") "q"'
    )


def test_hostile_names_are_quoted() -> None:
    assert labelled_query(replace(view(ranges(1, 1)), export=HOSTILE)) == (
        "(select /* loader run=r export=a __ drop table x; -- partitions=1 queries=1 */ "
        '"k"", (select 1) as ""z" as "loader:0", "p*/" from "s"""."t"" where 1=1 --") "q"'
    )


def test_all_names_of_a_query_are_in_the_quotes_of_the_database() -> None:
    names = replace(HOSTILE, key=("k`1",), partition_column='p"2')
    types = {"k`1": PLAIN, 'p"2': ColumnType(T.LongType(), "cast({} as signed)")}

    quoted = ViewRead(names, "r", ranges(2, 2), types, "`")

    assert labelled_query(quoted, {"n": "1"}) == (
        "(select /* loader run=r export=a __ drop table x; -- partitions=2 queries=2 */ "
        '`k``1` as `loader:0`, cast(`p"2` as signed) as `p"2`, 1 as `n` '
        'from `s"`.`t" where 1=1 --`) `q`'
    )
    assert partition_options(quoted)["partitionColumn"] == 'p"2'
    assert partition_options(replace(quoted, quote='"'))["partitionColumn"] == "loader:1"
    assert source_schema(quoted) == {
        "customSchema": '`loader:0` string, `p"2` bigint',
    }


def test_redshift_is_read_through_a_ring_buffer_of_250_rows() -> None:
    assert jdbc_options(REDSHIFT) == {
        "url": "jdbc:redshift://h.example.com:5439/dev?ssl=true",
        "user": "loader",
        "password": "s3cr3t",
        "fetchsize": "250",
        "fetchRingBufferSize": "0",
    }


def test_postgres_is_read_10_000_rows_at_a_time() -> None:
    postgres = Connection("postgres", "localhost", 5432, "dev", USER, Secrets(PASSWORD))

    assert jdbc_options(postgres) == {
        "url": "jdbc:postgresql://localhost:5432/dev",
        "user": "loader",
        "password": "s3cr3t",
        "fetchsize": "10000",
    }


def test_only_the_password_option_has_the_password() -> None:
    options = jdbc_options(REDSHIFT) | partition_options(view(ranges(30, 8)))

    assert [name for name, value in options.items() if PASSWORD in value] == ["password"]
    assert PASSWORD not in labelled_query(view(ranges(30, 8)))
