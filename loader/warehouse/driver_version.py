"""The version of Redshift's JDBC driver: a cluster may have its own before that of the job.

EMR has one in the class path:
https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-spark-redshift-launch.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loader.errors import Refused
from loader.package_version import version_numbers
from loader.warehouse.connection import DRIVERS, Connection
from loader.warehouse.jdbc_query import class_loader

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

INFO = "com.amazon.redshift.util.DriverInfo"
TESTED = DRIVERS["redshift"].package.rpartition(":")[2]
# The oldest with which failed reads, exact values and counts were tested. Reads with 2.1.0.20 hang.
LEAST = "2.1.0.28"


def driver_notes(spark: SparkSession, connection: Connection) -> tuple[str, ...]:
    """A note if the driver is older than the tested one; raises `Refused` if it is too old."""
    return version_notes(driver_version(spark, connection)) if connection.kind == "redshift" else ()


def driver_version(spark: SparkSession, connection: Connection) -> str:
    """The version of the driver that Spark's own class path, or that of the job, has."""
    loader = class_loader(spark, connection.driver)
    java: Any = spark.sparkContext._jvm
    info = java.java.lang.Class.forName(INFO, True, loader)
    return str(info.getField("DRIVER_VERSION").get(None))


def version_notes(version: str) -> tuple[str, ...]:
    if version_numbers(version) < version_numbers(LEAST):
        raise Refused(
            f"the JDBC driver of Redshift must be {LEAST} or later, got {version}: put "
            f"redshift-jdbc42-{TESTED}.jar before it in the class path"
        )
    if version_numbers(version) < version_numbers(TESTED):
        return (f"the JDBC driver of Redshift is {version}; the loader is tested with {TESTED}",)
    return ()
