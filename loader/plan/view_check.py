"""The check of an export's view, before the first row is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import types as T

from loader.errors import Refused
from loader.items.column_mapping import attribute_types, key_types
from loader.items.export import Export
from loader.items.index_key import IndexKey
from loader.items.schema_problems import schema_problems
from loader.settings import Settings
from loader.spark import failures
from loader.warehouse.column_types import column_type, schema_of, with_dimensions
from loader.warehouse.columns import describe
from loader.warehouse.connection import Connection
from loader.warehouse.read import Ranges, ranges, read_rows
from loader.warehouse.unreadable import NO_COLUMN, unreadable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class View:
    """The checked view of an export, and its read, which is ready to begin.

    `schema` has the types of the columns; `frame` has the texts of those that are read as text.
    `key` has the names and type letters of the key, `attribute_types` the type letter of every
    attribute, the key's included, in the order of the item's JSON. `bulky_attributes` are the
    attributes that make items large. `index_keys` are those of the table.
    """

    frame: DataFrame
    schema: T.StructType
    read: Ranges
    key: list[tuple[str, str]]
    attribute_types: dict[str, str]
    bulky_attributes: frozenset[str]
    index_keys: tuple[IndexKey, ...] = ()


def check_view(
    spark: SparkSession, settings: Settings, connection: Connection, export: Export, run: str
) -> View:
    """The view; raises `Refused` if it does not meet the needs of the export.

    Runs one statement that reads no row, for the types of the columns.
    """
    database = export.relation.database
    if database.lower() != connection.database.lower():
        raise Refused(
            f"{export.model} must be in the database of the dbt target, got {database} instead of "
            f"{connection.database}: choose a target of {database}, or build a model in "
            f"{connection.database} that reads it"
        )
    try:
        columns = describe(spark, connection, export.relation, export.columns)
    except Refused:
        raise
    except Exception as error:
        raise _refusal(spark, connection, export, error) from error
    types = [column_type(column, connection.kind) for column in columns]
    schema = schema_of(columns, types)
    if problems := schema_problems(export, schema):
        raise Refused(problems)
    read = ranges(export.partitions, settings.most_queries)
    try:
        by_name = dict(zip(schema.names, types, strict=True))
        frame = read_rows(spark, connection, export, run, read, by_name)
    except Exception as error:
        raise _refusal(spark, connection, export, error) from error
    schema = with_dimensions(schema, frame.schema)
    key = list(zip(export.table_key, key_types(export, schema), strict=True))
    bulky = [collect.attribute for collect in export.collect] or export.attributes
    return View(frame, schema, read, key, attribute_types(export, schema), frozenset(bulky))


def _refusal(
    spark: SparkSession, connection: Connection, export: Export, error: Exception
) -> Refused:
    """Why the read cannot begin: the problems of the view's columns, if they explain the error.

    The warehouse does not say which columns it has instead of one that is missing.
    """
    _, cause = failures.failure(error)
    state = failures.sql_state(error)
    refusal = Refused(unreadable(connection, export.relation, export.model, state, cause))
    if state != NO_COLUMN:
        return refusal
    try:
        columns = describe(spark, connection, export.relation)
    except Exception:  # noqa: BLE001 the first error is clearer
        return refusal
    types = [column_type(column, connection.kind) for column in columns]
    return Refused(schema_problems(export, schema_of(columns, types)) or refusal.problems)
