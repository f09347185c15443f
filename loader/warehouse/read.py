"""The partitioned read: JDBC options, and the DataFrame over them. The edge to the warehouse."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from loader.items.export import Export, Relation
from loader.warehouse.connection import Connection
from loader.warehouse.query import driver_properties, label, qualified, quoted

# PostgreSQL's driver asks for so many rows at a time.
FETCH_ROWS = 10_000

# Redshift's reads on, until so many rows wait. More gain nothing (docs/performance.md), and rows of
# 400 KB, the most that an item can hold, are 100 MB.
REDSHIFT_FETCH_ROWS = 250


@dataclass(frozen=True)
class Ranges:
    """How N partition ids are dealt to queries: `stride` ids each, the last may have fewer."""

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
    """The name that each column has outside of the query.

    Spark puts quotes around it and does not double those within.
    """
    return {
        name: f"loader:{number}" if '"' in name or name.startswith("loader:") else name
        for number, name in enumerate(export.columns)
    }


def labelled_query(export: Export, run: str, read: Ranges) -> str:
    """The statement every query is made of; the comment says who asks, in query history too.

    The WHERE clause that Spark adds names the partitions of each query.
    """
    said = label(export, run, f" partitions={read.partitions} queries={read.queries}")
    columns = ", ".join(
        quoted(name) if name == alias else f"{quoted(name)} as {quoted(alias)}"
        for name, alias in aliases(export).items()
    )
    select = f"select {said} {columns} from {qualified(export.relation)}"  # noqa: S608 quoted
    return f"({select}) as {quoted('q')}"


def jdbc_options(connection: Connection) -> dict[str, str]:
    """Spark's JDBC options for the connection.

    The PostgreSQL driver honours fetchsize inside a transaction, which Spark's dialect opens.
    """
    rows = REDSHIFT_FETCH_ROWS if connection.kind == "redshift" else FETCH_ROWS
    return {
        "url": connection.url,
        "driver": connection.driver.name,
        "fetchsize": str(rows),
        # A timestamp without a zone must not be shifted into the JVM's zone.
        "preferTimestampNTZ": "true",
        **driver_properties(connection),
    }


def partition_options(export: Export, read: Ranges) -> dict[str, str]:
    """Spark's options for a read in ranges of the partition column.

    Bounds are multiples of the stride, so that Spark, which rounds strides down, cuts where
    `Ranges` says. https://spark.apache.org/docs/latest/sql-data-sources-jdbc.html
    """
    if read.queries == 1:
        return {}
    return {
        "partitionColumn": aliases(export)[export.partition_column],
        "lowerBound": "0",
        "upperBound": str(read.stride * read.queries),
        "numPartitions": str(read.queries),
    }


def read_schema(
    spark: SparkSession,
    connection: Connection,
    relation: Relation,
    columns: Sequence[str] = (),
) -> T.StructType:
    """Names and types of these columns of the view, or of all; one query that reads no row.

    A column of a type that Spark does not know breaks it, so ask for those that are needed first.
    """
    options = jdbc_options(connection)
    names = ", ".join(quoted(name) for name in columns) or "*"
    query = f"(select {names} from {qualified(relation)}) as {quoted('q')}"  # noqa: S608 quoted
    return spark.read.format("jdbc").options(**options, dbtable=query).load().schema


def read_rows(
    spark: SparkSession,
    connection: Connection,
    export: Export,
    run: str,
    read: Ranges,
) -> DataFrame:
    """The rows of the view: one Spark partition a query, `read.queries` of them."""
    options = jdbc_options(connection) | partition_options(export, read)
    query = labelled_query(export, run, read)
    frame = spark.read.format("jdbc").options(**options, dbtable=query).load()
    return frame.toDF(*export.columns)
