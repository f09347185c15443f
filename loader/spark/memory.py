"""How the memory of this machine is divided, if the loader starts Spark on it."""

from collections.abc import Mapping

from loader import machine
from loader.settings import LEAST_MEMORY, WORKER_MEMORY

MB = 1 << 20
HEAP, OFF_HEAP = "spark.driver.memory", "spark.memory.offHeap.size"
# Spark does not start with a heap below 450 MB. The rest of a load of 400,000 rows, which is the
# JVM's code and the driver's and the workers' Python, took 350 MB.
LEAST_HEAP, LEAST_OFF_HEAP = 512 * MB, 128 * MB
MOST_HEAP, MOST_OFF_HEAP = 2048 * MB, 1024 * MB


def memory_settings(slots: int, memory: int) -> dict[str, str]:
    """The heap, and the memory outside of it in which rows are sorted: 2 GB and 1 GB, or less
    on a machine with less than 4 GB."""
    spare = max(0, memory - LEAST_MEMORY - slots * WORKER_MEMORY)
    heap = min(MOST_HEAP, LEAST_HEAP + spare * 2 // 3)
    off_heap = min(MOST_OFF_HEAP, LEAST_OFF_HEAP + spare // 3)
    return {HEAP: f"{heap // MB}m", OFF_HEAP: f"{off_heap // MB}m"}


def memory_problem(given: Mapping[str, str]) -> str | None:
    """Why this machine has too little memory, or None; a user who gives the heap knows better."""
    memory = machine.memory()
    if memory >= LEAST_MEMORY or HEAP in given:
        return None
    return (
        f"memory of this machine or container must be at least {LEAST_MEMORY // MB} MB, got "
        f"{memory // MB}: give it more, or set --spark-conf {HEAP} and {OFF_HEAP}"
    )
