"""How long a load takes on a cluster, and what it needs: the rule of docs/performance.md.

    python -m benchmarks.sizing     # writes its table

tests/support/cluster_simulation.py checks the rule task by task.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, inf

from benchmarks import page
from sandbox.settings import REPOSITORY

DOCS = REPOSITORY / "docs" / "performance.md"
BLOCK = "cluster-sizes"

# Measured, rounded up: benchmarks/results/latest.json and keys.json.
READ_CPU = 2.1e-6  # CPU seconds per row: `grown` less `ours_start` and the writes
WRITE_CPU = 6e-6  # CPU seconds per item of one write unit: `write_cpu`
WORKER_MB = 110.0  # a Python worker: `grown`
KEY_BYTES = 300.0  # of a worker per key of a partition: `keys_moved` less `grown`
# Assumed.
START_SECONDS = 20.0  # the start of the driver and its executors, checks, commit and report
LATENCY = 0.02  # seconds of a BatchWriteItem
TASK_SECONDS = 0.1  # to start a task, and to commit its files
# The loader's defaults.
QUERIES, PARTITIONS, REQUESTS = 8, 30, 16
SLICES_PER_SLOT, UNITS_PER_SLICE, BATCH = 4, 1_000, 25
# More keys would take more than this of a worker.
KEYS_MB = 150.0


@dataclass(frozen=True)
class Load:
    """What is read and written; `allowed` write units per second, of which the table has enough."""

    rows: int
    items: int
    units: int
    allowed: float = inf


@dataclass(frozen=True)
class Cluster:
    """Task slots are the cores of all executors; `partitions` are the export's."""

    executors: int
    cores: int
    queries: int = QUERIES
    partitions: int = PARTITIONS
    requests: int = REQUESTS

    @property
    def slots(self) -> int:
        return self.executors * self.cores

    @property
    def partitions_per_query(self) -> int:
        return ceil(self.partitions / min(self.queries, self.partitions))


def plan_seconds(load: Load, cluster: Cluster) -> float:
    """Each query is a task with the same number of partitions; the slots take them in turn."""
    width = cluster.partitions_per_query
    waves = ceil(ceil(cluster.partitions / width) / cluster.slots)
    return waves * (TASK_SECONDS + width / cluster.partitions * load.rows * READ_CPU)


def slices(load: Load, cluster: Cluster) -> int:
    """As the loader cuts a changeset: docs/tune.md."""
    return max(1, min(SLICES_PER_SLOT * cluster.slots, ceil(load.units / UNITS_PER_SLICE)))


def apply_seconds(load: Load, cluster: Cluster) -> float:
    """The longest of three: what the table accepts, the CPU of the slots, and their requests."""
    count = slices(load, cluster)
    slots = min(cluster.slots, count)
    answered = slots * cluster.requests * BATCH / LATENCY
    longest = max(load.units / load.allowed, load.items * WRITE_CPU / slots, load.items / answered)
    return ceil(count / slots) * TASK_SECONDS + longest


def load_seconds(load: Load, cluster: Cluster) -> float:
    return START_SECONDS + plan_seconds(load, cluster) + apply_seconds(load, cluster)


def partitions_for(items: int) -> int:
    """The partitions of an export whose workers hold at most KEYS_MB of keys."""
    return max(PARTITIONS, ceil(items * KEY_BYTES / (KEYS_MB * 1e6) / PARTITIONS) * PARTITIONS)


def worker_mb(items: int, partitions: int) -> float:
    """The memory of a Python worker, one per core, beside the JVM of the executor."""
    return WORKER_MB + items / partitions * KEY_BYTES / 1e6


def table() -> Iterator[str]:
    """A first load of 10 rows per item of one write unit, with one core per query."""
    yield "| Rows | Items | `partitions` | Cores | Plan | Apply, 4,000 units/s | 40,000 units/s | Memory of a Python worker |"  # noqa: E501
    yield "|--:|--:|--:|--:|--:|--:|--:|--:|"
    for rows in (10**6, 10**7, 10**8, 10**9):
        items = rows // 10
        partitions = partitions_for(items)
        cluster = Cluster(executors=2, cores=4, partitions=partitions)
        applied = (
            apply_seconds(Load(rows, items, items, allowed), cluster) for allowed in (4_000, 40_000)
        )
        plan = plan_seconds(Load(rows, items, items), cluster)
        cells = [f"{rows:,}", f"{items:,}", str(partitions), str(cluster.slots), _time(plan)]
        cells += [*map(_time, applied), f"{worker_mb(items, partitions):,.0f} MB"]
        yield f"| {' | '.join(cells)} |"


def _time(seconds: float) -> str:
    """12 s, 42 min, 6.9 h."""
    if seconds < 100:
        return f"{max(1.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"


def updated(text: str) -> str:
    """The page with the table between its markers."""
    first, last = page.markers(BLOCK)
    before, _, rest = text.partition(first)
    _, _, after = rest.partition(last)
    return f"{before}{first}\n" + "\n".join(table()) + f"\n{last}{after}"


if __name__ == "__main__":
    DOCS.write_text(updated(DOCS.read_text(encoding="utf-8")), encoding="utf-8")
