"""The classes of the loader that Spark reads with, in the JVMs of a session.

`ReadDriver.java` is the driver for Redshift, `QuotedNames.java` has the quotes of databases of
`--jdbc`. Both are in `read_driver.jar`: `python -m tests.support.read_driver` compiles them with
the Java compiler that Spark has for its queries. A test compares the jar with its sources.
"""

from __future__ import annotations

import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark import SparkFiles

from loader.warehouse.connection import Connection
from loader.warehouse.jdbc_query import class_loader, has_class, sql_identifier

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

READ_DRIVER, QUOTED_NAMES = "loader.warehouse.ReadDriver", "loader.warehouse.QuotedNames"
JAR = "read_driver.jar"


def read_driver(spark: SparkSession, connection: Connection) -> str:
    """The class of the driver, which the session's JVMs have after this call."""
    if connection.kind != "redshift":
        return connection.driver.name
    _loader_with(spark, connection, READ_DRIVER)
    return READ_DRIVER


def set_quotes(spark: SparkSession, connection: Connection) -> None:
    """Make Spark quote names in its queries as the database of a `--jdbc` file does.

    Spark's dialect for the URL may have other quotes, in which a name may be a text for the
    database. Spark writes the names of columns in the driver, but the conditions of filters in
    executors, which do not know this dialect: a read must not push any filter down.
    """
    java: Any = spark.sparkContext._jvm
    dialects, quote = java.org.apache.spark.sql.jdbc.JdbcDialects, connection.dialect.quote
    if dialects.get(connection.url).quoteIdentifier("n") == sql_identifier("n", quote):
        return
    loader = _loader_with(spark, connection, QUOTED_NAMES)
    names = java.java.lang.Class.forName(QUOTED_NAMES, True, loader)
    dialect = names.getDeclaredConstructor(None).newInstance(None)
    dialects.registerDialect(dialect.of(connection.url, quote[0], quote[-1]))


def _loader_with(spark: SparkSession, connection: Connection, name: str) -> Any:
    """The class loader of Spark's driver, which has this class; the executors have it too."""
    context: Any = spark.sparkContext
    java = context._jvm.java
    loader = class_loader(spark, connection.driver)
    # Spark removes this folder when the context ends; a notebook's JVM may have another one then.
    jar = Path(SparkFiles.getRootDirectory(), "loader", JAR)
    if not jar.exists():
        jar.parent.mkdir(mode=0o700, exist_ok=True)
        # The package may be in an archive.
        jar.write_bytes(pkgutil.get_data(__package__, JAR) or b"")
        context._jsc.addJar(str(jar))
    if not has_class(loader, name):
        loader.addURL(java.io.File(str(jar)).toURI().toURL())
    return loader
