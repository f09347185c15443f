"""The partitioned read: ranges, JDBC options, and the DataFrame."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from loader.items.encoding import column
from loader.items.export import Export
from loader.warehouse.column_types import ColumnType
from loader.warehouse.connection import Connection
from loader.warehouse.dialect import STANDARD
from loader.warehouse.jdbc_query import driver_properties, label, qualified, sql_identifier
from loader.warehouse.ranges import Ranges
from loader.warehouse.read_driver import read_driver, set_quotes
from loader.warehouse.row_hash import RowHash
from loader.warehouse.source_types import spark_type

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Columns that the loader adds to those of the view; see `added_name`.
ROW_HASH, KEY_HASH = "loader:row_hash", "loader:hash_of_key"


@dataclass(frozen=True)
class ViewRead:
    """How a run reads the view of an export; `types` are those of its columns, by name."""

    export: Export
    run: str
    ranges: Ranges
    types: Mapping[str, ColumnType]
    quote: str = STANDARD

    @property
    def label(self) -> str:
        counts = f" partitions={self.ranges.partitions} queries={self.ranges.queries}"
        return label(self.export, self.run, counts)

    @property
    def aliases(self) -> dict[str, str]:
        """The name of each column outside the query.

        Spark puts quotes around a name but does not double the quotes within it.
        """
        end = self.quote[-1]
        return {
            name: f"loader:{number}" if end in name or name.startswith("loader:") else name
            for number, name in enumerate(self.export.columns)
        }


def added_name(name: str, export: Export) -> str:
    """The name of an added column in a DataFrame; it is longer if the view has this column."""
    return max(
        [name, *(f"{column}:" for column in export.columns if column.startswith(name))], key=len
    )


def labelled_query(view: ViewRead, added: Mapping[str, str] = MappingProxyType({})) -> str:
    """The subquery that all queries share; Spark adds a WHERE clause for the partitions.

    `added` has the expressions of more columns. Oracle allows no `as` before a subquery's name.
    """
    columns = selected(view, view.export.columns, added)
    relation = qualified(view.export.relation, view.quote)
    subquery = sql_identifier("q", view.quote)
    return f"(select {view.label} {columns} from {relation}) {subquery}"  # noqa: S608 quoted


def selected(view: ViewRead, names: Iterable[str], added: Mapping[str, str]) -> str:
    """The list of a SELECT: columns as the loader reads them, and those that it adds."""
    alias, quoted = view.aliases, partial(sql_identifier, quote=view.quote)

    def column_as(name: str) -> str:
        expression = view.types[name].expression(quoted(name))
        is_named = name == alias[name] and view.types[name].is_plain
        return expression if is_named else f"{expression} as {quoted(alias[name])}"

    more = (f"{expression} as {quoted(name)}" for name, expression in added.items())
    return ", ".join([*map(column_as, names), *more])


def jdbc_options(connection: Connection) -> dict[str, str]:
    """Spark's JDBC options for the connection.

    The PostgreSQL driver honours fetchsize only inside a transaction, which Spark's dialect opens.
    """
    return {
        "url": connection.url,
        "fetchsize": str(connection.dialect.fetch_rows),
        **({"pushDownPredicate": "false"} if connection.source else {}),
        **driver_properties(connection),
    }


def partition_options(view: ViewRead) -> dict[str, str]:
    """Spark's options for a read in ranges of the partition column.

    Spark rounds strides down. With bounds that are multiples of the stride, it cuts where `Ranges`
    does. https://spark.apache.org/docs/latest/sql-data-sources-jdbc.html
    """
    read = view.ranges
    if read.queries == 1:
        return {}
    return {
        "partitionColumn": view.aliases[view.export.partition_column],
        "lowerBound": "0",
        "upperBound": str(read.stride * read.queries),
        "numPartitions": str(read.queries),
    }


def range_condition(view: ViewRead, query: int) -> str:
    """The condition with which Spark would read the range of this query.

    The first and the last query also read the rows whose partition is NULL or out of range.
    """
    column = sql_identifier(view.aliases[view.export.partition_column], view.quote)
    ids, is_last = view.ranges.ids(query), query == view.ranges.queries - 1
    if query == 0:
        return "1=1" if is_last else f"({column} < {ids.stop} or {column} is null)"
    from_start = f"{column} >= {ids.start}"
    return from_start if is_last else f"{from_start} and {column} < {ids.stop}"


def read_rows(
    spark: SparkSession, connection: Connection, view: ViewRead, row_hash: RowHash | None = None
) -> DataFrame:
    """The rows of the view: one Spark partition per query.

    With `row_hash`, the last column is `added_name(ROW_HASH, export)`, a long.
    """
    added = {} if row_hash is None else {ROW_HASH: row_hash.row}
    schema = source_schema(view) if connection.source else {}
    rows = load(spark, connection, view, labelled_query(view, added), schema)
    return renamed(rows, view, view.export.columns, added)


def source_schema(view: ViewRead) -> dict[str, str]:
    """Spark's option for the types of the columns, whatever its dialect for the database is."""
    names = {name: alias.replace("`", "``") for name, alias in view.aliases.items()}
    columns = (f"`{alias}` {spark_type(view.types[name])}" for name, alias in names.items())
    return {"customSchema": ", ".join(columns)}


def load(
    spark: SparkSession,
    connection: Connection,
    view: ViewRead,
    query: str,
    schema: Mapping[str, str] = MappingProxyType({}),
) -> DataFrame:
    """The result of a subquery that has the partition column, in ranges of it."""
    options = jdbc_options(connection) | partition_options(view) | dict(schema)
    driver = read_driver(spark, connection)
    set_quotes(spark, connection)
    return spark.read.format("jdbc").options(**options, driver=driver, dbtable=query).load()


def read_rows_of_keys(
    spark: SparkSession,
    connection: Connection,
    view: ViewRead,
    row_hash: RowHash,
    key_hashes: Sequence[Collection[int]],
) -> DataFrame:
    """The rows of keys with these hashes, with the columns of `read_rows`.

    `key_hashes` has the hashes for each query; a query without any is not sent, and has no Spark
    partition.
    """
    added = {ROW_HASH: row_hash.row, KEY_HASH: row_hash.key}
    conditions = [
        f"{range_condition(view, query)} and "
        f"{sql_identifier(KEY_HASH)} in ({', '.join(map(str, hashes))})"
        for query, hashes in enumerate(key_hashes)
        if hashes
    ]
    options = jdbc_options(connection) | {"driver": read_driver(spark, connection)}
    rows = spark.read.jdbc(
        options.pop("url"),
        labelled_query(view, added),
        predicates=conditions,
        properties=options,
    )
    rows = renamed(rows, view, view.export.columns, added)
    return rows.drop(added_name(KEY_HASH, view.export))


def renamed(
    rows: DataFrame, view: ViewRead, names: Sequence[str], added: Iterable[str]
) -> DataFrame:
    """The rows of a query with the columns `names` and `added`, with the view's names."""
    more = [added_name(name, view.export) for name in added]
    return rows.toDF(*names, *more).select(
        *(view.types[name].value(column(name)).alias(name) for name in names), *map(column, more)
    )
