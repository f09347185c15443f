"""Make the archive of Spark's classes by a small read, for Java 17 and 18.

    python -m loader.spark.class_archive

Loading and verifying Spark's classes is a large part of its start: a load with the archive takes
3 of 10 CPU seconds less. From Java 19 on a load makes a missing archive itself. A JVM that the
archive does not fit starts without it.
https://docs.oracle.com/en/java/javase/17/vm/class-data-sharing.html
"""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from loader.items.encoded_rows import encode_rows
from loader.items.export import Collect, Export, Order, Relation
from loader.spark import archive, java, session
from loader.spark.problems import start_problems
from loader.spark.properties import DRIVER_OPTIONS, MASTER
from loader.storage.location import Location

# Whatever cluster the environment names.
HERE = {MASTER: "local[2]"}

# Derby comes with Spark, so a read by JDBC needs no warehouse.
DERBY = {
    "url": "jdbc:derby:memory:archive;create=true",
    "driver": "org.apache.derby.iapi.jdbc.AutoloadedDriver",
}


def make() -> None:
    """Run a read; its JVM writes the classes that it has loaded."""
    file = archive.archive()
    if file is None or file.is_file():
        return
    if problems := start_problems(HERE, (), Location(str(file.parent))):
        sys.exit("\n".join(problems))
    print(f"making the archive of Spark's classes: {file}", file=sys.stderr)
    partial = file.with_suffix(f".{os.getpid()}")
    options = f"-Dderby.stream.error.file={os.devnull}"
    if (java.version() or 0) < archive.JAVA_MAKES_ARCHIVE:
        options += f' -XX:ArchiveClassesAtExit="{partial}" {archive.QUIET}'
    spark = session.start(
        "archive", [], 2, file.with_suffix(".log"), {**HERE, DRIVER_OPTIONS: options}
    )
    _read(spark)
    jvm = spark.sparkContext._gateway.proc  # type: ignore[union-attr]
    spark.stop()
    jvm.stdin.close()  # the JVM then ends, and writes the archive
    jvm.wait()
    if partial.exists():
        os.replace(partial, file)
        archive.remove_old(file)


def _read(spark: SparkSession) -> None:
    """Read, encode and collect by JDBC as a plan does, and run a job as an apply does."""
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
        F.timestamp_seconds("id").cast("string").alias("purchased_at"),
    )
    made.write.format("jdbc").options(**DERBY, dbtable="archive").save()
    cuts: dict[str, Any] = {
        "partitionColumn": "partition_id",
        "lowerBound": 0,
        "upperBound": 2,
        "numPartitions": 2,
    }
    read = spark.read.format("jdbc").options(**DERBY, **cuts, dbtable="archive").load()
    as_text = T.StructField("purchased_at", T.TimestampNTZType())
    fields = [as_text if field.name == as_text.name else field for field in read.schema.fields]
    encode_rows(read, T.StructType(fields), export).mapInArrow(_count, "rows long").collect()
    spark.sparkContext.parallelize([1, 2], 2).map(str).collect()


def _count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """One row per batch: its number of rows."""
    for batch in batches:
        yield pa.RecordBatch.from_pydict({"rows": [batch.num_rows]})


if __name__ == "__main__":
    make()
