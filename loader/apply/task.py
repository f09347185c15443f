"""An apply task: sends one slice of the changeset and writes its outcome into the run's folder.

Runs on executors. Puts and deletes are idempotent, so a retried task sends its whole slice again,
and only the attempt that returned counts.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import repeat

from loader.apply.writer import SliceWriter
from loader.dynamodb.batches import Change
from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.retries import RetryBudget
from loader.dynamodb.sender import Sender
from loader.items.limits import WRITE_UNIT_BYTES
from loader.pace.client import Address, pace_client
from loader.spark.attempt import attempt
from loader.storage.changeset import CHANGES, Slice, read_extent
from loader.storage.location import Location
from loader.storage.lock import LockWatch
from loader.storage.rejects import Rejects
from loader.storage.slice_outcome import APPLIED, SliceOutcome, outcome_file


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


def read_changes(folder: Location, piece: Slice, sized: bool = False) -> Iterator[Change]:
    """The changes of a slice, from the changeset in a run's folder.

    `sized`: with their write units, each of them rounded up.
    """
    for extent in piece.extents:
        for batch in read_extent(folder / CHANGES, extent):
            keys, requests = batch.column("key"), batch.column("request")
            partition = repeat(extent.partition)
            columns = [keys.to_pylist(), requests.to_pylist(), partition]
            if sized:
                columns.append([-(-size // WRITE_UNIT_BYTES) for size in batch["size"].to_pylist()])
            yield from map(Change, *columns)


@lru_cache(maxsize=1)
def _sender(apply: str, endpoint: Endpoint, retry_seconds: float) -> tuple[Sender, RetryBudget]:
    """One per worker process and apply: connections outlive a slice, but not the apply."""
    return Sender(endpoint), RetryBudget(retry_seconds)
