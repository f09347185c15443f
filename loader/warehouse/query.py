"""SQL text and single-row queries by the JDBC driver."""

import re
from typing import Any

from pyspark.sql import SparkSession

from loader.items.export import Export, Relation
from loader.warehouse.connection import Connection

# Comments nest in Redshift: neither edge may be in one.
COMMENT_EDGE = re.compile(r"[*/]")


def quoted(name: str) -> str:
    """An SQL identifier, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def qualified(relation: Relation) -> str:
    return f"{quoted(relation.schema)}.{quoted(relation.identifier)}"


def label(export: Export, run: str, more: str = "") -> str:
    """The comment that says, in query history too, who asks."""
    text = COMMENT_EDGE.sub("_", f"loader run={run} export={export.name}{more}")
    return f"/* {text} */"


def driver_properties(connection: Connection) -> dict[str, str]:
    """What the JDBC driver is told beside the address.

    The Redshift driver reads a result through a ring buffer, in a thread of its own. The buffer is
    bounded by bytes, 1 GB per *statement* unless told otherwise; with 0 bytes by rows, the
    fetchsize (https://github.com/aws/amazon-redshift-jdbc-driver/issues/20). By bytes it loses
    wake-ups: both threads then wait for a second, several times in a read of some million rows
    (RedshiftRowsBlockingQueue of version 2.3.0).
    """
    properties = {"user": connection.user, "password": connection.password}
    if connection.kind == "redshift":
        properties["fetchRingBufferSize"] = "0"
    return properties


def open_session(spark: SparkSession, connection: Connection) -> Any:
    """A java.sql.Connection of the driver, without Spark's JDBC source; to be closed.

    Raises Py4JJavaError with the driver's SQLException.
    """
    java: Any = spark.sparkContext._jvm
    loader = java.java.lang.Thread.currentThread().getContextClassLoader()
    driver = java.java.lang.Class.forName(connection.driver.name, True, loader)
    properties = java.java.util.Properties()
    for name, value in driver_properties(connection).items():
        properties.setProperty(name, value)
    return driver.getDeclaredConstructor(None).newInstance(None).connect(connection.url, properties)


def query_numbers(
    spark: SparkSession, connection: Connection, query: str, *columns: str
) -> list[int]:
    """Whole numbers of the one row that the query has, 0 for NULL.

    By the driver alone: Spark would plan and compile a job for it. Raises Py4JJavaError with the
    driver's SQLException.
    """
    session = open_session(spark, connection)
    try:
        found = session.createStatement().executeQuery(query)
        found.next()
        return [found.getLong(name) for name in columns]
    finally:
        session.close()
