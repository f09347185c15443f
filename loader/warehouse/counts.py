"""What the warehouse itself counts, to hold the read against: rows and keys before, rows after.

The count before runs beside the read, as one statement more than `--queries`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import SparkSession
from pyspark.sql import types as T

from loader.items.export import Export
from loader.warehouse.connection import Connection
from loader.warehouse.query import label, qualified, query_numbers, quoted


@dataclass(frozen=True)
class Counts:
    """What the warehouse counted: rows, and the different keys of those whose key is not NULL."""

    rows: int
    keys: int


def count_problems(
    relation: str, before: Counts, after_rows: int, rows_read: int, groups: int
) -> list[str]:
    """How what was read differs from what the warehouse counted, if nothing moved meanwhile.

    `groups` counts the keys found in each partition. Where the counts of rows before and after the
    read differ the source has moved, and no number can be held against another.
    """
    if source_changed(before.rows, after_rows):
        return []
    problems = []
    if rows_read != before.rows:
        problems.append(
            f"rows read from {relation} must be the {before.rows:,} that the warehouse counted, "
            f"got {rows_read:,}: plan again; if it stays so, report it"
        )
    if groups != before.keys:
        problems.append(
            f"items made from {relation} must be the {before.keys:,} keys that the warehouse "
            f"counted, got {groups:,}: a key in two partitions, or a source that moved, does this; "
            "test the model with key_in_one_partition"
        )
    return problems


def source_changed(rows_before: int | None, rows_after: int | None) -> bool:
    """Whether the source changed while it was read, as far as two counts can tell."""
    return rows_before != rows_after


def group_query(
    export: Export, types: Mapping[str, T.DataType], run: str, exactly: bool = False
) -> str:
    """One row: "keys", the groups whose key is not NULL, and "rows", all rows.

    Redshift takes texts that differ in trailing blanks, or in case under a case-insensitive
    collation, for equal; DynamoDB does not. `exactly` groups a text by its MD5, for four times the
    CPU: https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
    """
    names = [quoted(name) for name in export.key]
    columns = [
        f"md5({name})" if exactly and isinstance(types[key], T.StringType) else name
        for key, name in zip(export.key, names, strict=True)
    ]
    aliases = [quoted(f"k{number}") for number in range(len(columns))]
    keys = ", ".join(f"{c} as {alias}" for c, alias in zip(columns, aliases, strict=True))
    groups = (
        f"select {keys}, count(*) as {quoted('n')} from {qualified(export.relation)} "  # noqa: S608 quoted
        f"group by {', '.join(map(str, range(1, len(columns) + 1)))}"
    )
    whole = " and ".join(f"{alias} is not null" for alias in aliases)
    return (
        f"select {label(export, run)} count(case when {whole} then 1 end) as {quoted('keys')}, "  # noqa: S608 quoted
        f"cast(sum({quoted('n')}) as bigint) as {quoted('rows')} from ({groups}) as {quoted('g')}"
    )


def row_query(export: Export, run: str) -> str:
    """One row: "rows", all rows."""
    return (
        f"select {label(export, run)} count(*) as {quoted('rows')} "  # noqa: S608 quoted
        f"from {qualified(export.relation)}"
    )


def count_groups(
    spark: SparkSession,
    connection: Connection,
    export: Export,
    types: Mapping[str, T.DataType],
    run: str,
    exactly: bool = False,
) -> Counts:
    query = group_query(export, types, run, exactly)
    keys, rows = query_numbers(spark, connection, query, "keys", "rows")
    return Counts(rows, keys)


def reconcile_key_count(
    before: Counts, after_rows: int, groups: int, exactly: Callable[[], Counts]
) -> Counts:
    """What the groups that were made are held against.

    The warehouse's own equality never counts more keys than there are. So when it counts as many
    as there are groups that is the number; when it does not, `exactly` decides.
    """
    if before.keys == groups or source_changed(before.rows, after_rows):
        return before
    return Counts(before.rows, exactly().keys)


def count_rows(spark: SparkSession, connection: Connection, export: Export, run: str) -> int:
    [rows] = query_numbers(spark, connection, row_query(export, run), "rows")
    return rows
