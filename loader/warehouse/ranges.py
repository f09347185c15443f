"""How the partitions are dealt to the queries of a read."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Ranges:
    """N partitions dealt to queries: `stride` ids per query; the last may have fewer."""

    partitions: int
    stride: int

    @property
    def queries(self) -> int:
        return math.ceil(self.partitions / self.stride)

    def ids(self, query: int) -> range:
        """The partition ids that a query reads."""
        return range(query * self.stride, min((query + 1) * self.stride, self.partitions))


def ranges(partitions: int, queries: int) -> Ranges:
    """Deal the partitions to at most `queries` queries, as evenly as whole ids allow."""
    return Ranges(partitions, math.ceil(partitions / min(partitions, queries)))
