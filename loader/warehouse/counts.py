"""Rows and keys as the warehouse counts them, and the rules that compare them with the read.

The first count begins before the read and runs beside it: one statement in addition to `--queries`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pyspark.sql import types as T

from loader.background import in_background
from loader.items.attribute_types import is_text
from loader.items.export import Export
from loader.items.text_types import WarehouseText
from loader.warehouse.connection import Connection
from loader.warehouse.count_change import source_changed
from loader.warehouse.dialect import REDSHIFT, STANDARD, Dialect
from loader.warehouse.jdbc_query import label, qualified, query_numbers, sql_identifier

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Counts:
    """All rows, and the distinct keys of the rows whose key is not NULL."""

    rows: int
    keys: int


def count_problems(
    relation: str, before: Counts, after_rows: int, rows_read: int, groups: int
) -> list[str]:
    """How the read differs from the counts; empty if the source changed during the read.

    `groups` is the sum of the keys of each partition.
    """
    if source_changed(before.rows, after_rows):
        return []
    problems = []
    if rows_read != before.rows:
        problems.append(
            f"rows read from {relation} must equal the {before.rows:,} rows that the warehouse "
            f"counted, got {rows_read:,}: plan again; if it happens again, report a bug"
        )
    if groups != before.keys:
        problems.append(
            f"items made from {relation} must equal the {before.keys:,} keys that the warehouse "
            f"counted, got {groups:,}: a key is in two partitions, or the source changed during "
            "the read; test the model with key_in_one_partition"
        )
    return problems


def group_query(
    export: Export,
    types: Mapping[str, T.DataType],
    run: str,
    exactly: bool = False,
    dialect: Dialect = REDSHIFT,
) -> str:
    """SQL for one row: "keys", the groups whose key is not NULL, and "rows", all rows.

    Redshift treats texts as equal that differ only in trailing blanks, or in case under a
    case-insensitive collation; DynamoDB does not. `exactly` groups a text by its MD5, for four
    times the CPU: https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
    """
    quoted = partial(sql_identifier, quote=dialect.quote)
    columns = [_group(name, types[name], exactly, dialect) for name in export.key]
    names = [quoted(f"k{number}") for number in range(len(columns))]
    keys = ", ".join(f"{column} as {name}" for column, name in zip(columns, names, strict=True))
    whole = " and ".join(f"{name} is not null" for name in names)
    rows = dialect.whole.format(f"sum({quoted('n')})")
    return (
        f"select {label(export, run)} count(case when {whole} then 1 end) as {quoted('keys')}, "  # noqa: S608 quoted
        f"{rows} as {quoted('rows')} from (select {keys}, count(*) as {quoted('n')} "
        f"from {qualified(export.relation, dialect.quote)} group by {', '.join(columns)}) "
        f"{quoted('g')}"
    )


def _group(name: str, dtype: T.DataType, exactly: bool, dialect: Dialect) -> str:
    """The expression of one key column; equal for the keys that are equal in DynamoDB."""
    column = sql_identifier(name, dialect.quote)
    if isinstance(dtype, WarehouseText):
        column = dialect.text.format(column)
    return dialect.exact.format(column) if exactly and is_text(dtype) else column


def row_query(export: Export, run: str, quote: str = STANDARD) -> str:
    """SQL for one row: "rows", all rows."""
    rows, relation = sql_identifier("rows", quote), qualified(export.relation, quote)
    return f"select {label(export, run)} count(*) as {rows} from {relation}"  # noqa: S608 quoted


def count_groups_exactly(
    spark: SparkSession,
    connection: Connection,
    export: Export,
    types: Mapping[str, T.DataType],
    run: str,
) -> Counts:
    query = group_query(export, types, run, True, connection.dialect)
    keys, rows = query_numbers(spark, connection, query, "keys", "rows")
    return Counts(rows, keys)


def count_groups_before(
    spark: SparkSession,
    connection: Connection,
    export: Export,
    types: Mapping[str, T.DataType],
    run: str,
) -> Future[Counts]:
    """Begin to count rows and keys; returns as soon as a row that arrives is not counted.

    Without a snapshot, it returns when they are counted.
    """
    dialect = connection.dialect
    query = group_query(export, types, run, False, dialect)
    relation, comment = qualified(export.relation, dialect.quote), label(export, run)
    snapshot = [text.format(label=comment, relation=relation) for text in dialect.snapshot]
    has_begun = threading.Event()

    def count() -> Counts:
        try:
            keys, rows = query_numbers(
                spark, connection, query, "keys", "rows",
                before=snapshot,
                began=has_begun.set if snapshot else lambda: None,
            )  # fmt: skip
        finally:
            has_begun.set()
        return Counts(rows, keys)

    first_count = in_background(count)
    has_begun.wait()
    return first_count


def count_rows(spark: SparkSession, connection: Connection, export: Export, run: str) -> int:
    query = row_query(export, run, connection.dialect.quote)
    [rows] = query_numbers(spark, connection, query, "rows")
    return rows


def reconcile_key_count(
    before: Counts, after_rows: int, groups: int, exactly: Callable[[], Counts]
) -> Counts:
    """The counts to compare the read with.

    The warehouse's equality may merge keys, but never splits one. So a count equal to `groups` is
    right; otherwise `exactly` counts again.
    """
    if before.keys == groups or source_changed(before.rows, after_rows):
        return before
    return Counts(before.rows, exactly().keys)
