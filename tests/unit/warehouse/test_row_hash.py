from dataclasses import replace

import pytest

from loader.items.export import Collect, Order
from loader.warehouse.column_types import column_type
from loader.warehouse.columns import Column
from loader.warehouse.key_hashes import key_query
from loader.warehouse.ranges import ranges
from loader.warehouse.read import ViewRead
from loader.warehouse.row_hash import RowHash, Unhashable, row_hash
from tests.support.exports import KEYED

# The columns user_id, partition_id and `c`.
EXPORT = replace(KEYED, attributes=("c",))
KEY = Column("user_id", "varchar", 256, 0)
PARTITION = Column("partition_id", "int4", 10, 0)


def hashed(type_: str, kind: str, precision: int = 0, scale: int = 0) -> RowHash | Unhashable:
    return row_hash(EXPORT, [KEY, PARTITION, Column("c", type_, precision, scale)], kind)


def text(type_: str, kind: str, precision: int = 0, scale: int = 0) -> str:
    """The text of column `c` that is hashed, if it is not NULL."""
    found = hashed(type_, kind, precision, scale)
    assert isinstance(found, RowHash), found
    _, _, condition = found.row.rpartition("case when \"c\" is null then '' else ")
    return condition.partition(" end")[0] if kind == "redshift" else condition


REDSHIFT = {
    "varchar": 'cast(fnv_hash("c") as varchar)',
    "bpchar": 'cast(fnv_hash("c") as varchar)',
    "unknown": 'cast(fnv_hash(cast("c" as varchar(65535))) as varchar)',
    "int2": 'cast("c" as varchar)',
    "int8": 'cast("c" as varchar)',
    "oid": 'cast("c" as varchar)',
    "float4": 'cast(fnv_hash("c") as varchar)',
    "float8": 'cast(fnv_hash("c") as varchar)',
    "bool": "case when \"c\" then 't' else 'f'",
    "varbyte": 'cast(farmfingerprint64("c") as varchar)',
    "date": 'cast("c" as varchar)',
    "timestamp": 'cast("c" as varchar)',
    "timestamptz": "cast(\"c\" at time zone 'UTC' as varchar)",
    "time": 'cast("c" as varchar)',
    "timetz": 'cast("c" as varchar)',
}
POSTGRES = {
    "varchar": "'.' || cast(\"c\" as text)",
    "bpchar": "format('.%s', \"c\")",
    "int8": 'cast("c" as varchar)',
    "float8": 'cast("c" as varchar)',
    "bool": "case when \"c\" then 't' else 'f' end",
    "bytea": "'.' || encode(\"c\", 'hex')",
    "timestamptz": "cast(cast(\"c\" at time zone 'UTC' as varchar) as varchar)",
    "numeric": 'cast(cast(trim_scale("c") as varchar) as varchar)',
    "uuid": "'.' || cast(\"c\" as varchar)",
    "jsonb": "'.' || case when \"c\" is null then null else format('%s', \"c\") end",
    "_int4": 'cast("c" as varchar)',
}


@pytest.mark.parametrize(("type_", "sql"), REDSHIFT.items(), ids=REDSHIFT)
def test_redshift_hashes_a_text_per_column_that_no_two_values_share(type_: str, sql: str) -> None:
    assert text(type_, "redshift") == sql


def test_redshift_hashes_the_digits_of_a_numeric() -> None:
    assert text("numeric", "redshift", 18, 4) == 'cast("c" as varchar)'


@pytest.mark.parametrize(("type_", "sql"), POSTGRES.items(), ids=POSTGRES)
def test_postgres_hashes_a_text_per_column_that_no_two_values_share(type_: str, sql: str) -> None:
    assert text(type_, "postgres").startswith(f"{sql} end) collate")


def test_redshift_hashes_all_columns_with_a_separator() -> None:
    key = 'case when "user_id" is null then \'\' else cast(fnv_hash("user_id") as varchar) end'
    rest = " || ';' || ".join(
        f'case when "{name}" is null then \'\' else cast("{name}" as varchar) end'
        for name in ("partition_id", "c")
    )

    found = hashed("int4", "redshift")

    assert isinstance(found, RowHash)
    assert (found.row, found.key) == (
        f"farmfingerprint64({key} || ';' || {rest})",
        'coalesce(farmfingerprint64("user_id"), 0)',
    )


def test_postgres_hashes_each_column_with_the_hash_of_those_before_it() -> None:
    found = hashed("int4", "postgres")

    assert isinstance(found, RowHash)
    key = (
        "hashtextextended((case when \"user_id\" is null then '' else "
        '\'.\' || cast("user_id" as text) end) collate "C", 0)'
    )
    partition, c = (
        f'(case when "{name}" is null then \'\' else cast("{name}" as varchar) end) collate "C"'
        for name in ("partition_id", "c")
    )
    assert (found.row, found.key) == (
        f"hashtextextended({c}, hashtextextended({partition}, {key}))",
        key,
    )


@pytest.mark.parametrize("type_", ["super", "geometry", "intervaly2m"])
def test_a_column_whose_text_may_not_be_exact_is_named(type_: str) -> None:
    assert hashed(type_, "redshift") == Unhashable(
        f"the warehouse has no exact hash of c ({type_})"
    )


@pytest.mark.parametrize("kind", ["redshift", "postgres"])
def test_a_double_in_the_key_has_no_hash_because_0_and_minus_0_are_one_key(kind: str) -> None:
    columns = [Column("user_id", "float8", 17, 17), PARTITION, Column("c", "float8", 17, 17)]

    assert row_hash(EXPORT, columns, kind) == Unhashable(
        "the warehouse has no exact hash of user_id (float8)"
    )


def test_hashes_of_columns_of_other_types_or_of_another_warehouse_have_another_version() -> None:
    of = [("int4", "redshift"), ("int8", "redshift"), ("varchar", "redshift"), ("int4", "postgres")]
    versions = {h.version for type_, kind in of if isinstance(h := hashed(type_, kind), RowHash)}

    assert len(versions) == 4


def test_keys_are_grouped_by_their_hash_before_their_columns() -> None:
    export = replace(
        KEYED, key=('us"er', "day"), collect=(Collect("items", "item"),), order_by=(Order("day"),)
    )
    columns = {
        'us"er': Column('us"er', "varchar", 256, 0),
        "day": Column("day", "date", 13, 0),
        "partition_id": PARTITION,
    }
    types = {name: column_type(column, "redshift") for name, column in columns.items()}

    view = ViewRead(export, "r", ranges(30, 8), types)
    query = key_query(view, RowHash("row()", "key()", "v"))

    assert query == (
        "(select /* loader run=r export=user_items partitions=30 queries=8 */ "
        '"partition_id", "loader:0", "day", count(*) as "loader:row_count", '
        'cast(mod(sum("loader:row_hash"), 9223372036854775808) as bigint) as "loader:rows_hash", '
        '"loader:hash_of_key" from (select "partition_id", "us""er" as "loader:0", '
        'cast("day" as varchar) as "day", row() as "loader:row_hash", '
        'key() as "loader:hash_of_key" from "public"."stg_orders") as "r" '
        'group by "loader:hash_of_key", "partition_id", "loader:0", "day") as "q"'
    )
