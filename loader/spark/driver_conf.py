"""What the driver's JVM is configured to, as far as it answers."""

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession


def driver_conf(spark: SparkSession) -> tuple[dict[str, str], int]:
    """Spark's properties, and its task slots.

    None and one if the JVM has ended: the next job fails for that reason and reports it.
    """
    try:
        context = spark.sparkContext
        return dict(context.getConf().getAll()), context.defaultParallelism
    except (Py4JError, OSError):
        return {}, 1
