"""The JVM's class-data archive: Spark's classes as the JVM wants them, mapped from a file.

    python -m loader.class_archive    makes it, and the folder of jars (spark_home.py); make does

Loading and checking Spark's classes is a large part of its start; with the archive a load takes 4
CPU seconds less (docs/performance.md). A JVM that is not the one that made the archive, or that
has other jars, starts as it would without.
https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html
"""

import os
import tempfile
from typing import Any

import pyspark

from loader.spark import spark_home

ARCHIVE = spark_home.FOLDER / f"spark-{pyspark.__version__}.jsa"
# That an archive does not fit is said on standard output unless told otherwise.
QUIET = "-Xlog:disable -Xlog:all=warning:stderr"
# Derby comes with Spark: the classes of a read by JDBC, without a warehouse.
DERBY = {
    "url": "jdbc:derby:memory:archive;create=true",
    "driver": "org.apache.derby.iapi.jdbc.AutoloadedDriver",
}


def jvm_options() -> str:
    """What makes a JVM use the archive; nothing where there is none."""
    return f"-XX:SharedArchiveFile={ARCHIVE} {QUIET}" if ARCHIVE.is_file() else ""


def make() -> None:
    """Run a plan in small, and have its JVM write the classes that it has loaded."""
    from loader.spark import local, session

    spark_home.make()
    partial = ARCHIVE.with_suffix(f".{os.getpid()}")
    log = ARCHIVE.with_suffix(".log")
    options = f"{local.JAVA_OPTIONS} -XX:ArchiveClassesAtExit={partial} {QUIET}"
    spark = session.start("archive", [], 2, log, {"spark.driver.extraJavaOptions": options})
    with tempfile.TemporaryDirectory() as folder:
        _plan(spark, folder)
    jvm = spark.sparkContext._gateway.proc  # type: ignore[union-attr]
    spark.stop()
    jvm.stdin.close()  # the JVM ends with its standard input, and writes then
    jvm.wait()
    os.replace(partial, ARCHIVE)


def _plan(spark: "pyspark.sql.SparkSession", folder: str) -> None:
    from pyspark.sql import functions as F

    from loader.items import rows, schema
    from loader.items.export import Collect, Export, Order, Relation
    from loader.plan.task import OUTCOME, PlanTask
    from loader.storage.location import Location
    from loader.storage.rejects import Rejects

    export = Export(
        name="archive",
        model="archive",
        relation=Relation("archive", "archive", "archive"),
        table="archive",
        key=("user_id",),
        partition_column="partition_id",
        partitions=2,
        collect=(Collect("items", "item_id"),),
        order_by=(Order("purchased_at"),),
    )
    made = spark.range(1000).select(
        (F.col("id") % 2).cast("int").alias("partition_id"),
        (F.col("id") % 10).cast("string").alias("user_id"),
        F.col("id").cast("string").alias("item_id"),
        F.timestamp_seconds("id").alias("purchased_at"),
    )
    made.write.format("jdbc").options(**DERBY, dbtable="archive").save()
    cuts: dict[str, Any] = {
        "partitionColumn": "partition_id",
        "lowerBound": 0,
        "upperBound": 2,
        "numPartitions": 2,
    }
    read = spark.read.format("jdbc").options(**DERBY, **cuts, dbtable="archive").load()
    place = Location(folder)
    rejects = Rejects(place, "archive", "archive")
    collected_attributes, texts = (
        schema.collected_attributes(export, read.schema),
        schema.texts(export, read.schema),
    )
    task = PlanTask(place, "partition_id", 2, collected_attributes, rejects, texts)
    rows.encode_rows(read, export).mapInArrow(task, OUTCOME).collect()
    spark.sparkContext.parallelize([1, 2], 2).map(str).collect()


if __name__ == "__main__":
    make()
