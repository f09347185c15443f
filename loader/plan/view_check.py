"""The check of an export's view, before the first row is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pyspark.sql import types as T

from loader.errors import Refused, reason
from loader.items.column_mapping import attribute_types, key_types
from loader.items.export import Export
from loader.items.index_key import IndexKey
from loader.items.schema_problems import schema_problems
from loader.settings import Settings
from loader.spark import failures
from loader.spark.driver_conf import driver_conf
from loader.warehouse.column_types import ColumnType, column_type, schema_of, with_dimensions
from loader.warehouse.columns import Column, describe
from loader.warehouse.connection import Connection
from loader.warehouse.driver_version import driver_notes
from loader.warehouse.ranges import Ranges, ranges
from loader.warehouse.read import ViewRead, read_rows
from loader.warehouse.row_hash import RowHash, Unhashable, row_hash
from loader.warehouse.sign_in import Login
from loader.warehouse.source_types import source_type
from loader.warehouse.unreadable import NO_COLUMN, unreadable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class View:
    """The checked view of an export, and its read, which is ready to begin.

    `schema` has the types of the columns; `frame` has the texts of those that are read as text.
    `key` has the names and type letters of the key, `attribute_types` the type letter of every
    attribute, the key's included, in the order of the item's JSON. `bulky_attributes` are the
    attributes that make items large. `index_keys` are those of the table. `types` say how columns
    are read. Without a `row_hash` all rows are read, for the reason in `notes`, if it is not the
    export's own choice. `login` is that of `frame`.
    """

    frame: DataFrame
    schema: T.StructType
    read: Ranges
    key: list[tuple[str, str]]
    attribute_types: dict[str, str]
    bulky_attributes: frozenset[str]
    types: Mapping[str, ColumnType]
    index_keys: tuple[IndexKey, ...] = ()
    row_hash: RowHash | None = None
    notes: tuple[str, ...] = ()
    login: Login | None = None


def check_view(
    spark: SparkSession, settings: Settings, connection: Connection, export: Export, run: str
) -> View:
    """The view; raises `Refused` if it does not meet the needs of the export.

    Runs one statement that reads no row, for the types of the columns.
    """
    database = export.relation.database
    if not connection.source and database.lower() != connection.database.lower():
        raise Refused(
            f"{export.model} must be in the database of the dbt target, got {database} instead of "
            f"{connection.database}: choose a target of {database}, or build a model in "
            f"{connection.database} that reads it"
        )
    try:
        remarks = driver_notes(spark, connection)
        columns = describe(spark, connection, export.relation, export.columns)
    except Refused:
        raise
    except Exception as error:
        raise _refusal(spark, connection, export, error) from error
    types = _types(connection, columns, export)
    schema = schema_of(columns, types, has_lengths=not connection.source)
    if problems := schema_problems(export, schema):
        raise Refused(problems)
    read = ranges(export.partitions, driver_conf(spark).queries(settings))
    hashed = _row_hash(export, columns, connection)
    by_name = dict(zip(schema.names, types, strict=True))
    login = connection.login()
    view_read = ViewRead(export, run, read, by_name, connection.dialect.quote)
    read_with = partial(read_rows, spark, connection, view_read)
    try:
        frame, hashed = _hashing(read_with, hashed)
    except Exception as error:
        raise _refusal(spark, connection, export, error) from error
    schema = with_dimensions(schema, frame.schema)
    key = list(zip(export.table_key, key_types(export, schema), strict=True))
    bulky = [collect.attribute for collect in export.collect] or export.attributes
    return View(
        frame,
        schema,
        read,
        key,
        attribute_types(export, schema),
        frozenset(bulky),
        by_name,
        row_hash=hashed if isinstance(hashed, RowHash) else None,
        notes=(*remarks, *_notes(hashed)),
        login=login,
    )


def _types(connection: Connection, columns: Sequence[Column], export: Export) -> list[ColumnType]:
    kind, partition = connection.kind, export.partition_column
    if connection.source:
        return [source_type(column, kind, column.name == partition) for column in columns]
    return [column_type(column, kind) for column in columns]


def _row_hash(
    export: Export, columns: Sequence[Column], connection: Connection
) -> RowHash | Unhashable | None:
    """None if the export needs all rows: for what it left out of an item, or by its own choice."""
    if export.reads_all or export.truncate or export.split:
        return None
    if not connection.dialect.has_row_hash:
        return Unhashable("rows have hashes in Redshift and PostgreSQL only")
    return row_hash(export, columns, connection.kind)


def _hashing(
    read_with: Callable[[RowHash | None], DataFrame], hashed: RowHash | Unhashable | None
) -> tuple[DataFrame, RowHash | Unhashable | None]:
    """The read with hashes of the rows, or without if the warehouse does not know their functions.

    Spark asks the warehouse for the types of the result, before any row.
    """
    if not isinstance(hashed, RowHash):
        return read_with(None), hashed
    try:
        return read_with(hashed), hashed
    except Exception as error:  # noqa: BLE001 what is wrong without the hashes is raised again
        frame = read_with(None)
        _, cause = failures.failure(error)
        return frame, Unhashable(f"the warehouse cannot hash them ({reason(cause)})")


def _notes(hashed: RowHash | Unhashable | None) -> tuple[str, ...]:
    if not isinstance(hashed, Unhashable):
        return ()
    return (f"all rows are read every time: {hashed.reason}",)


def _refusal(
    spark: SparkSession, connection: Connection, export: Export, error: Exception
) -> Refused:
    """Why the read cannot begin: the problems of the view's columns, if they explain the error.

    The warehouse does not say which columns it has instead of one that is missing.
    """
    _, cause = failures.failure(error)
    state = failures.sql_state(error)
    refusal = Refused(unreadable(connection, export.relation, export.model, state, cause))
    if state not in NO_COLUMN:
        return refusal
    try:
        columns = describe(spark, connection, export.relation)
    except Exception:  # noqa: BLE001 the first error is clearer
        return refusal
    types = _types(connection, columns, export)
    return Refused(schema_problems(export, schema_of(columns, types)) or refusal.problems)
