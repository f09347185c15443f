"""Writes the changes of a slice, a batch in flight on each connection."""

import time
from collections.abc import Callable, Generator, Iterator
from heapq import heappop, heappush
from typing import Protocol, cast

from loader.apply.outcome import EXAMPLES, NotSent, SliceOutcome
from loader.dynamodb.answers import EXPIRED_CREDENTIALS, ITEM_ERRORS, Answer, FailureKind
from loader.dynamodb.batches import Change, batches, body, unprocessed
from loader.dynamodb.retries import RetryBudget, full_jitter
from loader.storage.changeset import request_attributes
from loader.storage.rejects import RejectShard


class Sending(Protocol):
    """What a writer needs of `Sender`."""

    def send(self, lane: int, body: bytes) -> None: ...
    def poll(self, seconds: float | None) -> list[tuple[int, Answer]]: ...
    def renew(self) -> None: ...
    def reset(self) -> None: ...


# A batch being written asks for what it needs next: a body to be sent, whose answer it is given,
# or seconds to wait.
BatchCoroutine = Generator[bytes | float, Answer | None, None]


class SliceWriter:
    """Writes the changes of a slice on so many of the sender's lanes, a batch on each at a time."""

    def __init__(
        self,
        sender: Sending,
        table: str,
        retry_budget: RetryBudget,
        lanes: int,
        rejects: RejectShard,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sender, self.table, self.retry_budget, self.rejects = (
            sender,
            table,
            retry_budget,
            rejects,
        )
        self.lanes, self.clock, self.timer = lanes, clock, timer
        self.writing: dict[int, BatchCoroutine] = {}
        self.waiting: list[tuple[float, int]] = []  # until when, and the lane
        self.stopped = ""

    def write(self, number: int, changes: Iterator[Change]) -> SliceOutcome:
        outcome = SliceOutcome(number)
        more = (self._write_batch(batch, outcome) for batch in batches(changes))
        try:
            for lane in range(self.lanes):
                self._begin(lane, more)
            while self.writing:
                for lane, answer in self.sender.poll(self._until_next()):
                    self._go_on(lane, answer, more)
                while self.waiting and self.waiting[0][0] <= self.timer():
                    self._go_on(heappop(self.waiting)[1], None, more)
        except BaseException:
            self.sender.reset()
            raise
        return outcome

    def _begin(self, lane: int, more: Iterator[BatchCoroutine]) -> None:
        """Give the lane the next batch that has something to send, if there is one."""
        for writing in more:
            self.writing[lane] = writing
            if self._step(lane, None):
                return

    def _go_on(self, lane: int, answer: Answer | None, more: Iterator[BatchCoroutine]) -> None:
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
            self.sender.send(lane, wanted)
        else:
            heappush(self.waiting, (self.timer() + wanted, lane))
        return True

    def _until_next(self) -> float | None:
        return max(0.0, self.waiting[0][0] - self.timer()) if self.waiting else None

    def _write_batch(self, batch: list[Change], outcome: SliceOutcome) -> BatchCoroutine:
        """Send until all of the batch is acknowledged or refused, or patience ends."""
        tries = 0
        while batch:
            if self.stopped:
                self._not_sent(batch, self.stopped, outcome)
                return
            answer = cast(Answer, (yield body(self.table, batch)))
            left = self._settle(batch, answer, outcome)
            if answer.failure is FailureKind.PERMANENT:
                yield from self._refuse(batch, answer, outcome)
                return
            if len(left) < len(batch):
                self.retry_budget.succeeded()
                tries = 0
            elif self.retry_budget.failed():
                cause = answer.cause or "every item came back unprocessed"
                self.stopped = (
                    f"the table acknowledged nothing for {self.retry_budget.seconds:g} s ({cause})"
                )
                continue
            if answer.error in EXPIRED_CREDENTIALS:
                self.sender.renew()
            batch = left
            if batch:
                tries += 1
                yield full_jitter(tries)

    def _settle(self, batch: list[Change], answer: Answer, outcome: SliceOutcome) -> list[Change]:
        """Enter an answer in the account; returns what is left of the batch."""
        left = batch if answer.failure else unprocessed(batch, answer.unprocessed)
        done, second = len(batch) - len(left), int(self.clock())
        throttled = answer.failure is FailureKind.THROTTLED or bool(answer.unprocessed)
        outcome.requests += 1
        outcome.acknowledged += done
        outcome.consumed += answer.consumed
        outcome.retries += bool(left) and answer.failure is not FailureKind.PERMANENT
        outcome.throttled += throttled
        items, units, slow = outcome.by_second.get(second, (0, 0.0, 0))
        outcome.by_second[second] = (items + done, units + answer.consumed, slow + throttled)
        return left

    def _refuse(self, batch: list[Change], answer: Answer, outcome: SliceOutcome) -> BatchCoroutine:
        """A permanent error: the batch is halved until the item that DynamoDB refuses is alone.

        Any other permanent error (a missing table, no permission) is of the whole run.
        """
        if answer.error not in ITEM_ERRORS:
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
        item = request_attributes(change.request)
        self.rejects.rejected(change.partition, change.key, None, cause, item)

    def _not_sent(self, batch: list[Change], cause: str, outcome: SliceOutcome) -> None:
        for change in batch:
            item = request_attributes(change.request)
            self.rejects.not_sent(change.partition, change.key, cause, item)
            for known in outcome.not_sent:
                if (known.partition, known.cause) == (change.partition, cause):
                    known.changes += 1
                    break
            else:
                outcome.not_sent.append(NotSent(change.partition, 1, cause))
