"""Writes the changes of a slice, one batch at a time on each connection."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple, Protocol, cast

from loader.dynamodb.answers import EXPIRED_CREDENTIALS, ITEM_ERRORS, Answer, FailureKind
from loader.dynamodb.batches import BATCH_CHANGES, Change, batches, body, unprocessed
from loader.dynamodb.kms_key import named
from loader.dynamodb.partition_key import partition_key
from loader.dynamodb.retries import RetryBudget, full_jitter
from loader.pace.hot_keys import HotKeys
from loader.pace.report import KEY_RANGE, Spent
from loader.storage.changeset import DELETE_REQUEST, request_attributes
from loader.storage.rejects import REJECT_EXAMPLES, RejectShard
from loader.storage.slice_outcome import NotSent, SliceOutcome


class Transport(Protocol):
    """The methods of `Sender` that a writer calls."""

    def send(self, number: int, body: bytes) -> None: ...
    def poll(self, seconds: float | None) -> list[tuple[int, Answer]]: ...
    def renew(self) -> None: ...
    def reset(self) -> None: ...


class Pace(Protocol):
    """The methods of the pace's `Client` that a writer calls."""

    @property
    def request_units(self) -> float: ...
    def stopped(self) -> str | None: ...
    def wait(self, units: float) -> float: ...
    def answered(self, spent: Spent) -> None: ...


class Send(NamedTuple):
    body: bytes


class Sleep(NamedTuple):
    seconds: float
    for_pace: bool = False


# Writes one batch. It is resumed with the answer after a Send, and with None after a Sleep.
BatchCoroutine = Generator[Send | Sleep, Answer | None, None]


@dataclass
class SliceWriter:
    """Writes one slice over `connections` connections of the transport into `outcome`.

    `stopped` is asked before each request: a reason to send nothing more, or None. It may wait.
    Without a `pace`, requests are sent as fast as they are answered.
    `clock` returns seconds since 1970; `timer` measures sleeps.
    """

    transport: Transport
    table: str
    retry_budget: RetryBudget
    connections: int
    rejects: RejectShard
    outcome: SliceOutcome
    stopped: Callable[[], str | None] = lambda: None
    pace: Pace | None = None
    clock: Callable[[], float] = time.time
    timer: Callable[[], float] = time.monotonic
    _stream: Iterator[list[Change]] = field(init=False)
    _hot: HotKeys[Change] = field(init=False)
    _active: dict[int, BatchCoroutine] = field(default_factory=dict, init=False)
    # A heap of (time to wake up, connection).
    _sleeping: list[tuple[float, int]] = field(default_factory=list, init=False)
    # The connections that wait for the pace.
    _paused: set[int] = field(default_factory=set, init=False)
    _capacity: str = field(init=False)
    # The reason why nothing more is sent.
    _stopped: str = field(default="", init=False)

    def write(self, changes: Iterable[Change]) -> SliceOutcome:
        """Send all changes; at the end each is acknowledged, rejected or not sent."""
        self._capacity = "INDEXES" if self.pace else "TOTAL"
        self._stream = batches(changes)
        self._hot = HotKeys(lambda change: partition_key(change.key), self.timer)
        try:
            for connection in range(self.connections):
                self._resume(connection)
            while self._active:
                for connection, answer in self._poll():
                    self._resume(connection, answer)
                while self._sleeping and self._sleeping[0][0] <= self.timer():
                    self._resume(heappop(self._sleeping)[1])
        except BaseException:
            self.transport.reset()
            raise
        return self.outcome

    def _poll(self) -> list[tuple[int, Answer]]:
        """The answers; the retry budget does not count if all connections wait for the pace."""
        if len(self._paused) < len(self._active):
            return self.transport.poll(self._until_wake_up())
        with self.retry_budget.paused():
            return self.transport.poll(self._until_wake_up())

    def _resume(self, connection: int, answer: Answer | None = None) -> None:
        """Resume the connection's batch until it sends or sleeps; after its end, the next batch."""
        self._paused.discard(connection)
        batch = self._active.pop(connection, None) or self._next_batch()
        while batch:
            try:
                step = batch.send(answer)
            except StopIteration:
                batch, answer = self._next_batch(), None
                continue
            self._active[connection] = batch
            if isinstance(step, Send):
                self.transport.send(connection, step.body)
            else:
                heappush(self._sleeping, (self.timer() + step.seconds, connection))
                if step.for_pace:
                    self._paused.add(connection)
            return

    def _next_batch(self) -> BatchCoroutine | None:
        """The changes of hot keys when they are due, and meanwhile all others."""
        if self._hot:
            if changes := self._hot.next(BATCH_CHANGES, at_once=bool(self._stopped)):
                return self._write_batches(changes)
            if self._hot.is_full:
                return self._until_due()
        for batch in self._stream:
            if others := self._hot.defer(batch) if self._hot else batch:
                return self._write_batch(others)
        return self._until_due() if self._hot.deferred else None

    def _until_due(self) -> BatchCoroutine:
        """Wait for the changes of hot keys."""
        yield Sleep(self._hot.seconds_until_due() or 0.0)

    def _write_batches(self, changes: list[Change]) -> BatchCoroutine:
        for batch in batches(changes):
            yield from self._write_batch(batch)

    def _until_wake_up(self) -> float | None:
        return max(0.0, self._sleeping[0][0] - self.timer()) if self._sleeping else None

    def _write_batch(self, batch: list[Change]) -> BatchCoroutine:
        """Send until each change is acknowledged or rejected, or the retry budget is used up."""
        retries = 0
        while batch:
            if self.pace:
                units = _write_units(batch)
                if units > self.pace.request_units and len(batch) > 1:
                    yield from self._halves(batch)
                    return
                yield from self._paced(self.pace, units)
            if not self._stopped:
                self._stopped = self.stopped() or ""
            if self._stopped:
                self._not_sent(batch, self._stopped)
                return
            answer = cast(Answer, (yield Send(body(self.table, batch, self._capacity))))
            remaining = self._count(batch, answer)
            hot_key = self._hot_key(batch, remaining, answer)
            if hot_key:
                self._hot.throttled(hot_key)
            if self._hot:
                self._hot.answered(_without(batch, remaining))
            if self.pace:
                self._report(self.pace, batch, remaining, answer, bool(hot_key))
            if answer.failure is FailureKind.PERMANENT:
                yield from self._isolate(batch, answer)
                return
            if len(remaining) < len(batch):
                self.retry_budget.succeeded()
                retries = 0
            elif self.retry_budget.failed():
                cause = answer.cause or "every item came back unprocessed"
                seconds = self.retry_budget.seconds
                self._stopped = f"the table acknowledged nothing for {seconds:g} s ({cause})"
                continue
            if answer.error in EXPIRED_CREDENTIALS:
                self.transport.renew()
            batch = self._hot.defer(remaining) if self._hot else remaining
            if batch:
                retries += 1
                yield Sleep(full_jitter(retries))

    def _count(self, batch: list[Change], answer: Answer) -> list[Change]:
        """Add the answer to the outcome; returns the changes that are not written yet."""
        remaining = batch if answer.failure else unprocessed(batch, answer.unprocessed)
        written, second = len(batch) - len(remaining), int(self.clock())
        throttled, outcome = answer.is_throttled, self.outcome
        outcome.requests += 1
        outcome.acknowledged += written
        outcome.deleted += _deletes(batch) - _deletes(remaining)
        outcome.consumed += answer.consumed
        outcome.retries += bool(remaining) and answer.failure is not FailureKind.PERMANENT
        outcome.throttled += throttled
        for throttle in answer.throttles:
            name = f"{throttle.resource or 'table'} {throttle.reason}"
            outcome.throttles[name] = outcome.throttles.get(name, 0) + 1
        items, units, slow = outcome.by_second.get(second, (0, 0.0, 0))
        outcome.by_second[second] = (items + written, units + answer.consumed, slow + throttled)
        outcome.add_units(second, answer.units)
        return remaining

    def _isolate(self, batch: list[Change], answer: Answer) -> BatchCoroutine:
        """After a permanent error: halve the batch until the item that causes it is alone.

        An error that is not of an item (a missing table, a missing permission) stops the slice.
        """
        if answer.error not in ITEM_ERRORS:
            self._stopped = named(answer.cause)
            self._not_sent(batch, self._stopped)
        elif len(batch) == 1:
            self._rejected(batch[0], answer.cause)
        else:
            yield from self._halves(batch)

    def _halves(self, batch: list[Change]) -> BatchCoroutine:
        half = len(batch) // 2
        yield from self._write_batch(batch[:half])
        yield from self._write_batch(batch[half:])

    def _paced(self, pace: Pace, units: float) -> BatchCoroutine:
        """Wait until the pace allows a request, or the slice is stopped."""
        while not self._stopped:
            self._stopped = pace.stopped() or ""
            if self._stopped or not (seconds := pace.wait(units)):
                return
            yield Sleep(seconds, for_pace=True)

    def _hot_key(self, batch: list[Change], remaining: list[Change], answer: Answer) -> str | None:
        """The partition key that was throttled on its own, as far as the answer shows it.

        A reason is given only if all changes of a request were throttled. Otherwise it is a key
        all of whose changes came back, while those of other keys were written.
        """
        if not answer.is_throttled or partition_key(remaining[0].key) == remaining[0].key:
            return None
        keys = {partition_key(change.key) for change in remaining}
        if len(keys) > 1:
            return None
        key = keys.pop()
        if key in self._hot:
            return key
        if not any(throttle.reason.endswith(KEY_RANGE) for throttle in answer.throttles):
            others = {partition_key(change.key) for change in _without(batch, remaining)}
            if len(remaining) == 1 or not others or key in others:
                return None
        return key

    def _report(
        self,
        pace: Pace,
        batch: list[Change],
        remaining: list[Change],
        answer: Answer,
        hot_key: bool,
    ) -> None:
        """Report the answer to the pace. A request without an answer may have been written."""
        charged, left = _write_units(batch), _write_units(remaining)
        throttles = tuple(t._replace(hot_key=hot_key) for t in answer.all_throttles)
        rejected = 0 if hot_key or answer.failure is FailureKind.PERMANENT else left
        pace.answered(Spent(charged, charged - left, answer.units, rejected, throttles))

    def _rejected(self, change: Change, cause: str) -> None:
        self.outcome.rejected += 1
        if len(self.outcome.rejects) < REJECT_EXAMPLES:
            self.outcome.rejects.append((change.key, cause))
        item = request_attributes(change.request)
        self.rejects.rejected(change.partition, change.key, None, cause, item)

    def _not_sent(self, batch: list[Change], cause: str) -> None:
        for change in batch:
            self.rejects.not_sent(
                change.partition, change.key, cause, request_attributes(change.request)
            )
            for entry in self.outcome.not_sent:
                if (entry.partition, entry.cause) == (change.partition, cause):
                    entry.changes += 1
                    break
            else:
                self.outcome.not_sent.append(NotSent(change.partition, 1, cause))


def _without(batch: list[Change], remaining: list[Change]) -> list[Change]:
    left = {change.key for change in remaining}
    return [change for change in batch if change.key not in left]


def _write_units(changes: list[Change]) -> int:
    return sum([change.write_units for change in changes])


def _deletes(changes: list[Change]) -> int:
    return sum(change.request.startswith(DELETE_REQUEST) for change in changes)
