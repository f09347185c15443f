"""What the driver's JVM is configured to, as far as it answers."""

from dataclasses import dataclass

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession


@dataclass(frozen=True)
class DriverConf:
    """Spark's properties, and its task slots."""

    properties: dict[str, str]
    slots: int

    def running_tasks(self, tasks: int) -> int:
        """The most tasks of a job that run at the same time: with dynamic allocation maybe all."""
        dynamic = self.properties.get("spark.dynamicAllocation.enabled") == "true"
        return tasks if dynamic else min(tasks, self.slots)


def driver_conf(spark: SparkSession) -> DriverConf:
    """The configuration of a session.

    No properties and one slot if the JVM has ended: the next job fails for that reason and reports
    it.
    """
    try:
        context = spark.sparkContext
        return DriverConf(dict(context.getConf().getAll()), context.defaultParallelism)
    except (Py4JError, OSError):
        return DriverConf({}, 1)
