"""An apply task: sends one slice of the changeset and writes its outcome into the run's folder.

Runs on executors. Puts and deletes are idempotent, so a retried task sends its whole slice again,
and only the attempt that returned counts.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from heapq import merge
from itertools import chain, islice, repeat

from loader.apply.writer import SliceWriter
from loader.dynamodb.batches import Change
from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.retries import RetryBudget
from loader.dynamodb.sender import Sender
from loader.items.limits import WRITE_UNIT_BYTES
from loader.pace.client import Address, pace_client
from loader.spark.attempt import attempt
from loader.storage.changeset import CHANGES, Extent, Slice, read_extent
from loader.storage.location import Location
from loader.storage.lock import LockWatch
from loader.storage.rejects import Rejects
from loader.storage.slice_outcome import APPLIED, SliceOutcome, outcome_file

# Folder of the names of the processes that use a fixed share of the limit, in that of the outcomes.
ALONE = "alone"
# Lanes of a slice alternate after so many changes, a fifth of a request.
LANE_CHANGES = 5


@dataclass(frozen=True)
class ApplyTask:
    """Call it with a slice. `apply` is the id of this apply, `requests` the maximum in flight.

    Without the `lock` of its run, a task sends nothing more: another run may write. `pace` is the
    address of the broker that limits the consumed capacity; None: there is no limit.
    """

    rejects: Rejects
    endpoint: Endpoint
    requests: int
    retry_seconds: float
    apply: str
    lock: LockWatch
    pace: Address | None = None

    def __call__(self, piece: Slice) -> SliceOutcome:
        sender, retry_budget = _sender(self.apply, self.endpoint, self.retry_seconds)
        pace = pace_client(self.pace, self.apply) if self.pace else None
        folder, table = self.rejects.folder, self.endpoint.table
        if pace and pace.fallback:
            (folder / APPLIED / ALONE).write(f"{self.apply}-{pace.name}", b"")
        with self.rejects.shard(f"{self.apply}-{piece.number:05d}-{attempt()}.jsonl") as shard:
            outcome = SliceOutcome(piece.number)
            writer = SliceWriter(
                sender, table, retry_budget, self.requests, shard, outcome,
                self.lock.stopped, pace,
            )  # fmt: skip
            writer.write(read_changes(folder, piece, sized=pace is not None))
        if pace:
            pace.finish()
            outcome.pace_fallback = pace.fallback
        outcome.reject_shard = shard.file
        (folder / APPLIED).write(outcome_file(piece.number), json.dumps(asdict(outcome)).encode())
        return outcome


def alone(folder: Location, apply: str) -> int:
    """The processes of an apply that use a fixed share of the limit, without the driver."""
    names = (folder / APPLIED / ALONE).files()
    return sum(name.startswith(f"{apply}-") for name in names)


def read_changes(folder: Location, piece: Slice, sized: bool = False) -> Iterator[Change]:
    """The changes of a slice, from the changeset in a run's folder.

    `sized`: with their write units, each of them rounded up. Of each lane of the slice, memory
    holds one record batch.
    """
    cut = piece.interleaved
    lanes = [*((extent,) for extent in piece.extents[:cut]), piece.extents[cut:]]
    if cut == 0:
        return chain.from_iterable(changes for _, changes in _batches(folder, lanes[0], sized))
    placed = [_placed(folder, lane, number, sized) for number, lane in enumerate(lanes)]
    return chain.from_iterable(changes for _, _, changes in merge(*placed))


def _batches(
    folder: Location, lane: Iterable[Extent], sized: bool
) -> Iterator[tuple[int, Iterator[Change]]]:
    """The changes of each record batch, and how many they are."""
    for extent in lane:
        for batch in read_extent(folder / CHANGES, extent):
            keys, requests = batch.column("key"), batch.column("request")
            partition = repeat(extent.partition)
            columns = [keys.to_pylist(), requests.to_pylist(), partition]
            if sized:
                columns.append([-(-size // WRITE_UNIT_BYTES) for size in batch["size"].to_pylist()])
            yield batch.num_rows, map(Change, *columns)


def _placed(
    folder: Location, lane: Sequence[Extent], number: int, sized: bool
) -> Iterator[tuple[float, int, list[Change]]]:
    """Some changes and their place between 0 and 1, by which the lanes of a slice are merged.

    Record batches count as equally long: how many changes they have is known when they are read.
    """
    count = sum(extent.last - extent.first for extent in lane)
    for index, (size, changes) in enumerate(_batches(folder, lane, sized)):
        for first in range(0, size, LANE_CHANGES):
            place = (index + first / size) / count
            yield place, number, list(islice(changes, LANE_CHANGES))


@lru_cache(maxsize=1)
def _sender(apply: str, endpoint: Endpoint, retry_seconds: float) -> tuple[Sender, RetryBudget]:
    """One per worker process and apply: connections outlive a slice, but not the apply."""
    return Sender(endpoint), RetryBudget(retry_seconds)
