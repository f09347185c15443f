"""The stream of one apply task: a slice of the changeset → batches → outcomes.

Runs on executors. Puts and deletes are idempotent, so a retried task sends its slice again; the
account is that of the attempt that returned. What is not written is listed in a part file of the
run's rejects (storage/rejects) while the slice is sent.
"""

import json
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, field
from heapq import heappop, heappush
from itertools import repeat
from typing import Any, Protocol, cast

from loader.apply.batches import Change, batches, body, unprocessed
from loader.apply.dynamodb import OF_ONE_ITEM, RENEWABLE, Answer, Endpoint, Sender, Trouble
from loader.apply.retries import Patience, full_jitter
from loader.attempt import attempt
from loader.storage.changeset import CHANGES, Slice, inside, read_extent
from loader.storage.location import Location
from loader.storage.rejects import Rejects, RejectsPart

APPLIED = "applied"  # the folder of a run that holds the outcome of each slice
EXAMPLES = 100


@dataclass
class NotSent:
    """Changes of one partition that DynamoDB did not acknowledge, and why."""

    partition: int
    changes: int
    cause: str


@dataclass
class SliceOutcome:
    """The account of a slice: its changes = acknowledged + rejected + not sent.

    `rejects` has at most 100 (key, cause) of the `rejected`; the part `rejects_file` has them all,
    and each change that was not sent.

    `by_second` has, per second since 1970 by the executor's clock, the changes acknowledged, the
    write units consumed and the requests throttled in it. No two runs have the same, so it does
    not count when outcomes are compared.
    """

    number: int
    acknowledged: int = 0
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    consumed: float = 0.0
    rejected: int = 0
    rejects: list[tuple[str, str]] = field(default_factory=list)
    not_sent: list[NotSent] = field(default_factory=list)
    rejects_file: str | None = None
    by_second: dict[int, tuple[int, float, int]] = field(default_factory=dict, compare=False)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "SliceOutcome":
        """From JSON, whose objects have strings for keys and lists for tuples."""
        more = {
            "rejects": [(key, cause) for key, cause in fields["rejects"]],
            "not_sent": [NotSent(**entry) for entry in fields["not_sent"]],
            "by_second": {int(second): tuple(n) for second, n in fields["by_second"].items()},
        }
        return cls(**{**fields, **more})


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
        sender, patience = _shared(self.apply, self.endpoint, self.retry_seconds)
        with self.rejects.part(f"{self.apply}-{piece.number:05d}-{attempt()}.jsonl") as rejects:
            writer = SliceWriter(sender, self.endpoint.table, patience, self.requests, rejects)
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


def outcome_file(number: int) -> str:
    return f"{number:05d}.json"


_shared_by: dict[str, tuple[Sender, Patience]] = {}


def _shared(apply: str, endpoint: Endpoint, retry_seconds: float) -> tuple[Sender, Patience]:
    """One sender a worker process and apply: its connections outlive the slice."""
    if apply not in _shared_by:
        _shared_by.clear()
        _shared_by[apply] = Sender(endpoint), Patience(retry_seconds)
    return _shared_by[apply]


class Sending(Protocol):
    """What a writer needs of `Sender`."""

    def depart(self, lane: int, body: bytes) -> None: ...
    def landed(self, seconds: float | None) -> list[tuple[int, Answer]]: ...
    def renew(self) -> None: ...
    def abandon(self) -> None: ...


# A batch being written asks for what it needs next: a body to be sent, whose answer it is given,
# or seconds to wait.
Writing = Generator[bytes | float, Answer | None, None]


class SliceWriter:
    """Writes the changes of a slice on so many of the sender's lanes, a batch on each at a time."""

    def __init__(
        self,
        sender: Sending,
        table: str,
        patience: Patience,
        lanes: int,
        rejects: RejectsPart,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sender, self.table, self.patience, self.rejects = sender, table, patience, rejects
        self.lanes, self.clock, self.timer = lanes, clock, timer
        self.writing: dict[int, Writing] = {}
        self.waiting: list[tuple[float, int]] = []  # until when, and the lane
        self.stopped = ""

    def write(self, number: int, changes: Iterator[Change]) -> SliceOutcome:
        outcome = SliceOutcome(number)
        more = (self._write_batch(batch, outcome) for batch in batches(changes))
        try:
            for lane in range(self.lanes):
                self._begin(lane, more)
            while self.writing:
                for lane, answer in self.sender.landed(self._until_next()):
                    self._go_on(lane, answer, more)
                while self.waiting and self.waiting[0][0] <= self.timer():
                    self._go_on(heappop(self.waiting)[1], None, more)
        except BaseException:
            self.sender.abandon()
            raise
        return outcome

    def _begin(self, lane: int, more: Iterator[Writing]) -> None:
        """Give the lane the next batch that has something to send, if there is one."""
        for writing in more:
            self.writing[lane] = writing
            if self._step(lane, None):
                return

    def _go_on(self, lane: int, answer: Answer | None, more: Iterator[Writing]) -> None:
        if not self._step(lane, answer):
            self._begin(lane, more)

    def _step(self, lane: int, answer: Answer | None) -> bool:
        """Let the lane's batch do what it needs next; False when it is at its end."""
        try:
            wanted = self.writing[lane].send(answer)
        except StopIteration:
            del self.writing[lane]
            return False
        if isinstance(wanted, bytes):
            self.sender.depart(lane, wanted)
        else:
            heappush(self.waiting, (self.timer() + wanted, lane))
        return True

    def _until_next(self) -> float | None:
        return max(0.0, self.waiting[0][0] - self.timer()) if self.waiting else None

    def _write_batch(self, batch: list[Change], outcome: SliceOutcome) -> Writing:
        """Send until all of the batch is acknowledged or refused, or patience ends."""
        tries = 0
        while batch:
            if self.stopped:
                self._not_sent(batch, self.stopped, outcome)
                return
            answer = cast(Answer, (yield body(self.table, batch)))
            left = self._settle(batch, answer, outcome)
            if answer.trouble is Trouble.PERMANENT:
                yield from self._refuse(batch, answer, outcome)
                return
            if len(left) < len(batch):
                self.patience.succeeded()
                tries = 0
            elif self.patience.failed():
                cause = answer.cause or "every item came back unprocessed"
                self.stopped = (
                    f"the table acknowledged nothing for {self.patience.seconds:g} s ({cause})"
                )
                continue
            if answer.error in RENEWABLE:
                self.sender.renew()
            batch = left
            if batch:
                tries += 1
                yield full_jitter(tries)

    def _settle(self, batch: list[Change], answer: Answer, outcome: SliceOutcome) -> list[Change]:
        """Enter an answer in the account; returns what is left of the batch."""
        left = batch if answer.trouble else unprocessed(batch, answer.unprocessed)
        done, second = len(batch) - len(left), int(self.clock())
        throttled = answer.trouble is Trouble.THROTTLED or bool(answer.unprocessed)
        outcome.requests += 1
        outcome.acknowledged += done
        outcome.consumed += answer.consumed
        outcome.retries += bool(left) and answer.trouble is not Trouble.PERMANENT
        outcome.throttled += throttled
        items, units, slow = outcome.by_second.get(second, (0, 0.0, 0))
        outcome.by_second[second] = (items + done, units + answer.consumed, slow + throttled)
        return left

    def _refuse(self, batch: list[Change], answer: Answer, outcome: SliceOutcome) -> Writing:
        """A permanent error: the batch is halved until the item that DynamoDB refuses is alone.

        Any other permanent error (a missing table, no permission) is of the whole run.
        """
        if answer.error not in OF_ONE_ITEM:
            self.stopped = answer.cause
            self._not_sent(batch, answer.cause, outcome)
        elif len(batch) == 1:
            self._rejected(batch[0], answer.cause, outcome)
        else:
            half = len(batch) // 2
            yield from self._write_batch(batch[:half], outcome)
            yield from self._write_batch(batch[half:], outcome)

    def _rejected(self, change: Change, cause: str, outcome: SliceOutcome) -> None:
        outcome.rejected += 1
        if len(outcome.rejects) < EXAMPLES:
            outcome.rejects.append((change.key, cause))
        item = inside(change.request)
        self.rejects.rejected(change.partition, change.key, None, cause, item)

    def _not_sent(self, batch: list[Change], cause: str, outcome: SliceOutcome) -> None:
        for change in batch:
            item = inside(change.request)
            self.rejects.not_sent(change.partition, change.key, cause, item)
            for known in outcome.not_sent:
                if (known.partition, known.cause) == (change.partition, cause):
                    known.changes += 1
                    break
            else:
                outcome.not_sent.append(NotSent(change.partition, 1, cause))
