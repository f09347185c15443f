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
from loader.spark.attempt import attempt
from loader.storage.changeset import CHANGES, Slice, read_extent
from loader.storage.location import Location
from loader.storage.lock import LockWatch
from loader.storage.rejects import Rejects
from loader.storage.slice_outcome import APPLIED, SliceOutcome, outcome_file


@dataclass(frozen=True)
class ApplyTask:
    """Call it with a slice. `apply` is the id of this apply, `requests` the maximum in flight.

    Without the `lock` of its run, a task sends nothing more: another run may write.
    """

    rejects: Rejects
    endpoint: Endpoint
    requests: int
    retry_seconds: float
    apply: str
    lock: LockWatch

    def __call__(self, piece: Slice) -> SliceOutcome:
        sender, retry_budget = _sender(self.apply, self.endpoint, self.retry_seconds)
        folder, table = self.rejects.folder, self.endpoint.table
        with self.rejects.shard(f"{self.apply}-{piece.number:05d}-{attempt()}.jsonl") as shard:
            outcome = SliceOutcome(piece.number)
            writer = SliceWriter(
                sender, table, retry_budget, self.requests, shard, outcome, self.lock.stopped
            )
            writer.write(read_changes(folder, piece))
        outcome.reject_shard = shard.file
        (folder / APPLIED).write(outcome_file(piece.number), json.dumps(asdict(outcome)).encode())
        return outcome


def read_changes(folder: Location, piece: Slice) -> Iterator[Change]:
    """The changes of a slice, from the changeset in a run's folder."""
    for extent in piece.extents:
        for batch in read_extent(folder / CHANGES, extent):
            keys, requests = batch.column("key"), batch.column("request")
            partition = repeat(extent.partition)
            yield from map(Change, keys.to_pylist(), requests.to_pylist(), partition)


@lru_cache(maxsize=1)
def _sender(apply: str, endpoint: Endpoint, retry_seconds: float) -> tuple[Sender, RetryBudget]:
    """One per worker process and apply: connections outlive a slice, but not the apply."""
    return Sender(endpoint), RetryBudget(retry_seconds)
