"""The JDBC driver that Spark's tasks read with, in the JVMs of a session.

For Redshift it is `ReadDriver.java`, in `read_driver.jar`: `python -m tests.support.read_driver`
compiles it with the Java compiler that Spark has for its queries. A test compares the two.
"""

from __future__ import annotations

import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark import SparkFiles

from loader.warehouse.connection import Connection
from loader.warehouse.jdbc_query import class_loader, has_class

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAME = "loader.warehouse.ReadDriver"
JAR = "read_driver.jar"


def read_driver(spark: SparkSession, connection: Connection) -> str:
    """The class of the driver, which the session's JVMs have after this call."""
    if connection.kind != "redshift":
        return connection.driver.name
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
    if not has_class(loader, NAME):
        loader.addURL(java.io.File(str(jar)).toURI().toURL())
    return NAME
