"""SQL text, and single-row queries by the JDBC driver."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from loader.errors import Refused
from loader.items.export import Export, Relation
from loader.warehouse.connection import DRIVERS, Connection, Driver
from loader.warehouse.dialect import STANDARD

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Comments nest in Redshift, so a comment must contain neither edge.
COMMENT_EDGE = re.compile(r"[*/]")
# Time for the cancellation of a statement.
CANCEL_SECONDS = 10


def sql_identifier(name: str, quote: str = STANDARD) -> str:
    """The quoted name; it may have any characters. `quote` is that of a `Dialect`."""
    end = quote[-1]
    return quote[0] + name.replace(end, end * 2) + end


def qualified(relation: Relation, quote: str = STANDARD) -> str:
    return ".".join(sql_identifier(name, quote) for name in (relation.schema, relation.identifier))


def label(export: Export, run: str, details: str = "") -> str:
    """The comment that names run and export in the warehouse's query history."""
    text = COMMENT_EDGE.sub("_", f"loader run={run} export={export.name}{details}")
    return f"/* {text} */"


def driver_properties(connection: Connection) -> dict[str, str]:
    """Properties of the JDBC driver."""
    login = connection.login()
    given = connection.source.properties if connection.source else ()
    signed_in = {"user": login.user, "password": login.password}
    return {**signed_in, **dict(connection.dialect.properties), **dict(given)}


def class_loader(spark: SparkSession, driver: Driver) -> Any:
    """The class loader of Spark's driver, which has the JDBC driver; raises `Refused` if not."""
    context: Any = spark.sparkContext
    loader = context._jvm.java.lang.Thread.currentThread().getContextClassLoader()
    if has_class(loader, driver.name):
        return loader
    jars = context.getConf().get("spark.jars", "").replace(",", ", ")
    named = "" if driver in DRIVERS.values() else ", or correct driver in the --jdbc file"
    raise Refused(
        f"Spark must have the JDBC driver {driver.name}, got none in {jars or 'its class path'}: "
        f"remove a damaged file to fetch it again, or give --spark-conf spark.jars=<file>{named}"
    )


def has_class(loader: Any, name: str) -> bool:
    return loader.getResource(f"{name.replace('.', '/')}.class") is not None


def open_session(spark: SparkSession, connection: Connection) -> Any:
    """Open a java.sql.Connection, without Spark's JDBC source; the caller closes it.

    A login of AWS that is refused is asked for once more: a secret may have been rotated. Raises
    Py4JJavaError with the driver's SQLException, `Refused` if Spark has no driver.
    """
    try:
        return _open(spark, connection)
    except Exception as error:
        if not connection.logins.forget(str(error)):
            raise
        return _open(spark, connection)


def _open(spark: SparkSession, connection: Connection) -> Any:
    java: Any = spark.sparkContext._jvm
    loader = class_loader(spark, connection.driver)
    driver = java.java.lang.Class.forName(connection.driver.name, True, loader)
    properties = java.java.util.Properties()
    for name, value in driver_properties(connection).items():
        properties.setProperty(name, value)
    # A connection whose other end is gone does not carry the cancellation of a statement.
    if unit := connection.dialect.socket_timeout:
        seconds = connection.statement_seconds + CANCEL_SECONDS
        properties.setProperty("socketTimeout", str(seconds * unit))
    is_driver = loader.loadClass("java.sql.Driver").isAssignableFrom(driver)
    made = driver.getDeclaredConstructor(None).newInstance(None) if is_driver else None
    session = None if made is None else made.connect(connection.url, properties)
    if session is None:
        raise Refused(
            f"{connection.driver.name} must be a JDBC driver that accepts the URL of {connection}, "
            "got another class: correct driver or url in the --jdbc file"
        )
    if connection.kind == "redshift":
        # Before 2.1.0.34 the property holds only until the connection is open:
        # https://github.com/aws/amazon-redshift-jdbc-driver/blob/master/CHANGELOG.md
        session.setNetworkTimeout(None, (connection.statement_seconds + CANCEL_SECONDS) * 1_000)
    return session


def limited_statement(session: Any, connection: Connection) -> Any:
    """A statement that the driver cancels if it takes too long."""
    statement = session.createStatement()
    statement.setQueryTimeout(connection.statement_seconds)
    return statement


def query_numbers(
    spark: SparkSession,
    connection: Connection,
    query: str,
    *columns: str,
    before: Sequence[str] = (),
    began: Callable[[], None] = lambda: None,
) -> list[int]:
    """Whole numbers of the single row of a query, 0 for NULL.

    The statements `before` come first, then the call of `began`.
    Without Spark's JDBC source, which would plan and compile a job.
    Raises Py4JJavaError with the driver's SQLException.
    """
    session = open_session(spark, connection)
    try:
        for text in before:
            limited_statement(session, connection).execute(text)
        began()
        result = limited_statement(session, connection).executeQuery(query)
        result.next()
        return [result.getLong(name) for name in columns]
    finally:
        session.close()
