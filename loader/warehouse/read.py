"""The partitioned read: ranges, JDBC options, and the DataFrame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.items.encoding import column
from loader.items.export import Export
from loader.warehouse.column_types import ColumnType
from loader.warehouse.connection import Connection
from loader.warehouse.jdbc_query import driver_properties, label, qualified, sql_identifier
from loader.warehouse.read_driver import read_driver

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# PostgreSQL's driver fetches this many rows at a time.
FETCH_ROWS = 10_000
# Redshift's driver reads ahead until this many rows wait. More rows are no faster
# (docs/decisions/0008), and 250 rows of 400 KB, the limit of an item, take 100 MB.
REDSHIFT_FETCH_ROWS = 250


@dataclass(frozen=True)
class Ranges:
    """N partitions dealt to queries: `stride` ids per query; the last may have fewer."""

    partitions: int
    stride: int

    @property
    def queries(self) -> int:
        return math.ceil(self.partitions / self.stride)

    def ids(self, query: int) -> range:
        """The partition ids that a query reads."""
        return range(query * self.stride, min((query + 1) * self.stride, self.partitions))


def ranges(partitions: int, queries: int) -> Ranges:
    """Deal the partitions to at most `queries` queries, as evenly as whole ids allow."""
    return Ranges(partitions, math.ceil(partitions / min(partitions, queries)))


def aliases(export: Export) -> dict[str, str]:
    """The name of each column outside the query.

    Spark puts quotes around a name but does not double the quotes within it.
    """
    return {
        name: f"loader:{number}" if '"' in name or name.startswith("loader:") else name
        for number, name in enumerate(export.columns)
    }


def labelled_query(export: Export, run: str, read: Ranges, types: Mapping[str, ColumnType]) -> str:
    """The subquery that all queries share; Spark adds a WHERE clause for the partitions."""
    comment = label(export, run, f" partitions={read.partitions} queries={read.queries}")

    def selected(name: str, alias: str) -> str:
        expression = types[name].expression(sql_identifier(name))
        is_named = name == alias and types[name].is_plain
        return expression if is_named else f"{expression} as {sql_identifier(alias)}"

    columns = ", ".join(selected(*names) for names in aliases(export).items())
    return f'(select {comment} {columns} from {qualified(export.relation)}) as "q"'  # noqa: S608 quoted


def jdbc_options(connection: Connection) -> dict[str, str]:
    """Spark's JDBC options for the connection.

    The PostgreSQL driver honours fetchsize only inside a transaction, which Spark's dialect opens.
    """
    rows = REDSHIFT_FETCH_ROWS if connection.kind == "redshift" else FETCH_ROWS
    return {
        "url": connection.url,
        "fetchsize": str(rows),
        **driver_properties(connection),
    }


def partition_options(export: Export, read: Ranges) -> dict[str, str]:
    """Spark's options for a read in ranges of the partition column.

    Spark rounds strides down. With bounds that are multiples of the stride, it cuts where `Ranges`
    does. https://spark.apache.org/docs/latest/sql-data-sources-jdbc.html
    """
    if read.queries == 1:
        return {}
    return {
        "partitionColumn": aliases(export)[export.partition_column],
        "lowerBound": "0",
        "upperBound": str(read.stride * read.queries),
        "numPartitions": str(read.queries),
    }


def read_rows(
    spark: SparkSession,
    connection: Connection,
    export: Export,
    run: str,
    read: Ranges,
    types: Mapping[str, ColumnType],
) -> DataFrame:
    """The rows of the view: one Spark partition per query."""
    options = jdbc_options(connection) | partition_options(export, read)
    rows = _load(spark, connection, options, labelled_query(export, run, read, types)).toDF(
        *export.columns
    )
    return rows.select(*(types[name].value(column(name)).alias(name) for name in export.columns))


def _load(
    spark: SparkSession, connection: Connection, options: dict[str, str], query: str
) -> DataFrame:
    driver = read_driver(spark, connection)
    return spark.read.format("jdbc").options(**options, driver=driver, dbtable=query).load()
