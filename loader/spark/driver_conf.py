"""What the driver's JVM is configured to and which executors it has, as far as it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JError

from loader import machine
from loader.settings import QUERIES, Settings
from loader.spark.properties import MASTER, is_local

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# https://spark.apache.org/docs/latest/configuration.html
CORES, INSTANCES, TASK_CPUS = "spark.executor.cores", "spark.executor.instances", "spark.task.cpus"
MOST_CORES = "spark.cores.max"
DYNAMIC = "spark.dynamicAllocation.enabled"
MOST_EXECUTORS = "spark.dynamicAllocation.maxExecutors"
DRIVER_HOST, DRIVER_PORT = "spark.driver.host", "spark.driver.port"
DRIVER_BIND = "spark.driver.bindAddress"
NAMES = (
    *(MASTER, CORES, INSTANCES, TASK_CPUS, MOST_CORES, DYNAMIC, MOST_EXECUTORS),
    *(DRIVER_HOST, DRIVER_BIND),
)
# YARN and Kubernetes start so many executors of one core.
DEFAULT_INSTANCES = 2
# Of dynamic allocation without a maximum: it starts as many executors as there are tasks. So many
# tasks write more than a table accepts that nobody has raised the quota of.
UNLIMITED_SLOTS = 64


@dataclass(frozen=True)
class DriverConf:
    """Spark's properties, and its task slots: of the executors that it has or will start.

    `most_slots` is their maximum, or None if the cluster may have more.
    """

    properties: dict[str, str]
    slots: int
    most_slots: int | None

    def running_tasks(self, tasks: int) -> int:
        """The most tasks of a job that run at the same time: maybe all."""
        return tasks if self.most_slots is None else min(tasks, self.most_slots)

    def queries(self, settings: Settings) -> int:
        """The most queries that the warehouse runs at the same time.

        By default at most 8, because other users need the warehouse too, and one per task slot,
        because further ones would wait. On this machine one per CPU (docs/decisions/0004).
        """
        if is_local(self.properties):
            return settings.local_queries
        return settings.queries or min(QUERIES, self.slots)


def driver_conf(spark: SparkSession) -> DriverConf:
    """The configuration of a session.

    No properties if the JVM has ended: the next job fails for that reason and reports it.
    """
    try:
        conf = spark.sparkContext.getConf()
        properties = {name: value for name in NAMES if (value := conf.get(name, None))}
        return conf_of(properties, registered_slots(spark))
    except (Py4JError, OSError):
        cpus = machine.cpus()
        return DriverConf({}, cpus, cpus)


def registered_slots(spark: SparkSession) -> list[int]:
    """The task slots of each executor that has registered, in the order of Spark's status."""
    context: Any = spark.sparkContext
    executors = context._jsc.sc().statusStore().executorList(True)
    slots = [executors.apply(number).maxTasks() for number in range(executors.size())]
    return list(filter(None, slots))  # the driver of a cluster has none


def conf_of(properties: Mapping[str, str], registered: Sequence[int]) -> DriverConf:
    """The task slots by the configuration, and of the executors that have registered."""
    now = sum(registered)
    if is_local(properties):
        return DriverConf(dict(properties), max(1, now), max(1, now))
    task_cpus = _number(properties, TASK_CPUS) or 1
    cores = _number(properties, CORES)
    # A standalone cluster gives an executor all cores of its machine.
    per_executor = max(1, cores // task_cpus) if cores else max(registered, default=1)
    by_cores = _number(properties, MOST_CORES)
    most = [max(1, by_cores // task_cpus)] if by_cores else []
    if properties.get(DYNAMIC, "").lower() == "true":
        if executors := _number(properties, MOST_EXECUTORS):
            most.append(executors * per_executor)
        wanted = min(most, default=UNLIMITED_SLOTS)
    else:
        executors = _number(properties, INSTANCES)
        if not executors and properties[MASTER].startswith(("yarn", "k8s:")):
            executors = DEFAULT_INSTANCES
        if executors:
            most.append(executors * per_executor)
        wanted = min(most, default=1) if executors else 1
    return DriverConf(dict(properties), max(now, wanted), max(now, *most) if most else None)


def _number(properties: Mapping[str, str], name: str) -> int | None:
    """A positive number; the infinity of Spark is the largest integer of Java."""
    text = properties.get(name, "")
    number = int(text) if text.isdigit() else 0
    return number if 0 < number < 2**31 - 1 else None
