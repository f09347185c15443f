"""A load on a cluster, task by task in simulated time, to check the rule of benchmarks/sizing.py.

Tasks start in their order as slots become free. Partitions differ in size, cores in speed. Tasks
that write share the write units, and each is also limited by its core and its requests in flight.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from benchmarks.sizing import (
    BATCH,
    LATENCY,
    READ_CPU,
    TASK_SECONDS,
    WRITE_CPU,
    Cluster,
    Load,
    slices,
)

# The standard deviations of the rows of a partition, and of the speed of a core.
UNEVEN_PARTITIONS, UNEVEN_CORES = 0.02, 0.03


def simulated_plan(load: Load, cluster: Cluster, seed: int) -> float:
    chance = random.Random(seed)  # noqa: S311
    sizes = [max(0.0, chance.gauss(1, UNEVEN_PARTITIONS)) for _ in range(cluster.partitions)]
    rows = [load.rows * size / sum(sizes) for size in sizes]
    width = cluster.partitions_per_query
    tasks = [sum(rows[first : first + width]) for first in range(0, len(rows), width)]
    return _end([count * READ_CPU for count in tasks], _speeds(chance, cluster.slots))


def simulated_apply(load: Load, cluster: Cluster, seed: int) -> float:
    """A slot with a slice writes after TASK_SECONDS; `left` has its items."""
    chance = random.Random(seed)  # noqa: S311
    speeds = _speeds(chance, cluster.slots)
    count = slices(load, cluster)
    waiting, left, ready = [load.items / count] * count, dict[int, float](), dict[int, float]()
    answered = cluster.requests * BATCH / LATENCY
    now = 0.0
    while waiting or left:
        for slot in range(cluster.slots):
            if waiting and slot not in left:
                left[slot], ready[slot] = waiting.pop(), now + TASK_SECONDS
        writing = [slot for slot in left if ready[slot] <= now]
        rates = _shared(
            {slot: min(speeds[slot] / WRITE_CPU, answered) for slot in writing},
            load.allowed * load.items / load.units,
        )
        begins = [ready[slot] - now for slot in left if ready[slot] > now]
        step = min([*begins, *(left[slot] / rates[slot] for slot in writing)])
        now += step
        for slot in writing:
            left[slot] -= rates[slot] * step
            if left[slot] < load.items * 1e-9:
                del left[slot]
    return now


def _speeds(chance: random.Random, slots: int) -> list[float]:
    return [max(0.5, chance.gauss(1, UNEVEN_CORES)) for _ in range(slots)]


def _end(tasks: Sequence[float], speeds: Sequence[float]) -> float:
    """When the last of the tasks ends; each is taken by the slot that is free first."""
    free = [0.0] * len(speeds)
    for work in tasks:
        slot = free.index(min(free))
        free[slot] += TASK_SECONDS + work / speeds[slot]
    return max(free)


def _shared(most: dict[int, float], total: float) -> dict[int, float]:
    """A total in equal shares; what one cannot use, the others get."""
    rates = {}
    for number, slot in enumerate(sorted(most, key=most.__getitem__)):
        rates[slot] = min(most[slot], total / (len(most) - number))
        total -= rates[slot]
    return rates
