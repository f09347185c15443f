"""The stream of one apply task: a slice of the changeset → batches → outcomes.

Runs on executors. Puts and deletes are idempotent, so a retried task sends its slice again; the
account is that of the attempt that returned. What is not written is listed in a part file of the
run's rejects (storage/rejects) while the slice is sent.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import repeat

from loader.apply.outcome import APPLIED, SliceOutcome, outcome_file
from loader.apply.writer import SliceWriter
from loader.dynamodb.batches import Change
from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.retries import RetryBudget
from loader.dynamodb.sender import Sender
from loader.spark.attempt import attempt
from loader.storage.changeset import CHANGES, Slice, read_extent
from loader.storage.location import Location
from loader.storage.rejects import Rejects


@dataclass(frozen=True)
class ApplyTask:
    """What an apply task needs to know; call it with a slice.

    `apply` is the id of this apply: what one apply learnt of the table (its connections, and since
    when it is silent) is not carried into the next one of the same worker process.
    """

    rejects: Rejects
    endpoint: Endpoint
    requests: int
    retry_seconds: float
    apply: str

    def __call__(self, piece: Slice) -> SliceOutcome:
        sender, retry_budget = _shared(self.apply, self.endpoint, self.retry_seconds)
        with self.rejects.shard(f"{self.apply}-{piece.number:05d}-{attempt()}.jsonl") as rejects:
            writer = SliceWriter(sender, self.endpoint.table, retry_budget, self.requests, rejects)
            outcome = writer.write(piece.number, changes_of(self.rejects.folder, piece))
        outcome.rejects_file = rejects.file
        document = json.dumps({"apply": self.apply, **asdict(outcome)})
        (self.rejects.folder / APPLIED).write(outcome_file(piece.number), document.encode())
        return outcome


def changes_of(folder: Location, piece: Slice) -> Iterator[Change]:
    """The changes of a slice, from the changeset in a run's folder."""
    for extent in piece.extents:
        for batch in read_extent(folder / CHANGES, extent):
            keys, requests = batch.column("key"), batch.column("request")
            partition = repeat(extent.partition)
            yield from map(Change, keys.to_pylist(), requests.to_pylist(), partition)


_shared_by: dict[str, tuple[Sender, RetryBudget]] = {}


def _shared(apply: str, endpoint: Endpoint, retry_seconds: float) -> tuple[Sender, RetryBudget]:
    """One sender a worker process and apply: its connections outlive the slice."""
    if apply not in _shared_by:
        _shared_by.clear()
        _shared_by[apply] = Sender(endpoint), RetryBudget(retry_seconds)
    return _shared_by[apply]
