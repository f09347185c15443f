"""The sections of docs/performance.md: groups whose results are published together."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.cases import Sizes

ROWS, WRITTEN, KEYS, CLUSTER = 5_000_000, 100_000, 10_000_000, 20_000_000
FULL = Sizes(ROWS, WRITTEN, nightly=ROWS, keys=KEYS, cluster=CLUSTER)


@dataclass(frozen=True)
class Section:
    """A block of the page and its result file.

    `pairs` is the least number of runs of each case; `optional` groups are shown if they were run.
    """

    name: str
    file: str
    groups: tuple[str, ...]
    pairs: int
    optional: tuple[str, ...] = ()

    def is_complete(self, groups: Iterable[str], sizes: Sizes, pairs: int) -> bool:
        return set(self.groups) <= set(groups) and pairs >= self.pairs and sizes == FULL


SECTIONS = (
    Section(
        "bench", "latest", ("load", "write", "warehouse", "memory", "growth"), 5, ("emr", "ordered")
    ),
    Section("nightly", "nightly", ("nightly",), 3),
    Section("keys", "keys", ("keys",), 1),
    Section("cluster", "cluster", ("cluster",), 3),
)
