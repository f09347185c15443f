"""The stream of one apply task: a slice of the changeset → batches → outcomes.

Runs on executors. Puts and deletes are idempotent, so a retried task sends its slice again; the
account is that of the attempt that returned.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import repeat

from loader.apply.batches import Change, batches, body, unprocessed
from loader.apply.dynamodb import Answer, Endpoint, Sender, Trouble
from loader.apply.retries import Patience, full_jitter
from loader.storage.changeset import Slice, read_extent
from loader.storage.location import Location


@dataclass
class NotSent:
    """Changes of one partition that DynamoDB did not acknowledge, and why."""

    partition: int
    changes: int
    cause: str


@dataclass
class SliceOutcome:
    """The account of a slice: its changes = acknowledged + rejected + not sent.

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
    rejected: list[tuple[str, str]] = field(default_factory=list)
    not_sent: list[NotSent] = field(default_factory=list)
    by_second: dict[int, tuple[int, float, int]] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class ApplyTask:
    """What an apply task needs to know; call it with a slice."""

    changes: Location
    endpoint: Endpoint
    requests: int
    retry_seconds: float

    def __call__(self, piece: Slice) -> SliceOutcome:
        sender, patience = _shared(self.endpoint, self.retry_seconds)
        return SliceWriter(sender.send, self.endpoint.table, patience, self.requests).write(
            piece.number, self._changes(piece)
        )

    def _changes(self, piece: Slice) -> Iterator[Change]:
        for extent in piece.extents:
            for batch in read_extent(self.changes, extent):
                keys, requests = batch.column("key"), batch.column("request")
                partition = repeat(extent.partition)
                yield from map(Change, keys.to_pylist(), requests.to_pylist(), partition)


_senders: dict[tuple[Endpoint, float], tuple[Sender, Patience]] = {}


def _shared(endpoint: Endpoint, retry_seconds: float) -> tuple[Sender, Patience]:
    """One sender a worker process: its connections outlive the slice."""
    known = _senders.get((endpoint, retry_seconds))
    if known is None:
        known = _senders[endpoint, retry_seconds] = Sender(endpoint), Patience(retry_seconds)
    return known


class SliceWriter:
    """Writes the changes of a slice with `requests` requests in flight."""

    def __init__(
        self,
        send: Callable[[bytes], Answer],
        table: str,
        patience: Patience,
        requests: int,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.send, self.table, self.patience = send, table, patience
        self.requests, self.sleep, self.clock = requests, sleep, clock
        self.lock = threading.Lock()
        self.stopped = ""

    def write(self, number: int, changes: Iterator[Change]) -> SliceOutcome:
        outcome = SliceOutcome(number)
        source = batches(changes)
        failures: list[BaseException] = []

        def work() -> None:
            try:
                while True:
                    with self.lock:
                        batch = next(source, None)
                    if batch is None:
                        return
                    self._write_batch(batch, outcome)
            except BaseException as error:  # noqa: BLE001  raised again by write()
                failures.append(error)
                self.stopped = self.stopped or repr(error)

        threads = [threading.Thread(target=work) for _ in range(self.requests)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return outcome

    def _write_batch(self, batch: list[Change], outcome: SliceOutcome) -> None:
        """Send until all of the batch is acknowledged or refused, or patience ends."""
        attempt = 0
        while batch:
            if self.stopped:
                self._not_sent(batch, self.stopped, outcome)
                return
            answer = self.send(body(self.table, batch))
            left = self._settle(batch, answer, outcome)
            if answer.trouble is Trouble.PERMANENT:
                self._refuse(batch, answer, outcome)
                return
            if len(left) < len(batch):
                self.patience.succeeded()
                attempt = 0
            elif self.patience.failed():
                cause = answer.cause or "every item came back unprocessed"
                self.stopped = (
                    f"the table acknowledged nothing for {self.patience.seconds:g} s ({cause})"
                )
                continue
            batch = left
            if batch:
                attempt += 1
                self.sleep(full_jitter(attempt))

    def _settle(self, batch: list[Change], answer: Answer, outcome: SliceOutcome) -> list[Change]:
        """Enter an answer in the account; returns what is left of the batch."""
        left = batch if answer.trouble else unprocessed(batch, answer.unprocessed)
        done, second = len(batch) - len(left), int(self.clock())
        throttled = answer.trouble is Trouble.THROTTLED or bool(answer.unprocessed)
        with self.lock:
            outcome.requests += 1
            outcome.acknowledged += done
            outcome.consumed += answer.consumed
            outcome.retries += bool(left) and answer.trouble is not Trouble.PERMANENT
            outcome.throttled += throttled
            items, units, slow = outcome.by_second.get(second, (0, 0.0, 0))
            outcome.by_second[second] = (items + done, units + answer.consumed, slow + throttled)
        return left

    def _refuse(self, batch: list[Change], answer: Answer, outcome: SliceOutcome) -> None:
        """A permanent error: the batch is halved until the item that DynamoDB refuses is alone.

        Any other permanent error (a missing table, no permission) is of the whole run.
        """
        if answer.error != "ValidationException":
            self.stopped = answer.cause
            self._not_sent(batch, answer.cause, outcome)
        elif len(batch) == 1:
            with self.lock:
                outcome.rejected.append((batch[0].key, answer.cause))
        else:
            half = len(batch) // 2
            self._write_batch(batch[:half], outcome)
            self._write_batch(batch[half:], outcome)

    def _not_sent(self, batch: list[Change], cause: str, outcome: SliceOutcome) -> None:
        with self.lock:
            for change in batch:
                for known in outcome.not_sent:
                    if (known.partition, known.cause) == (change.partition, cause):
                        known.changes += 1
                        break
                else:
                    outcome.not_sent.append(NotSent(change.partition, 1, cause))
