"""Partition keys that DynamoDB throttles on their own, although the table accepts more.

A partition accepts 1,000 write units per second:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
The changes of such a key wait for their own pace, and all others pass them.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from loader.pace.ceiling import LOOK_SECONDS, Ceiling

PARTITION_UNITS = 1_000.0
# More changes that wait for their key would take memory: then the others wait as well.
MOST_DEFERRED = 20_000
# A request that was late by so much is made up for: requests end in groups.
LATE_SECONDS = 0.1


class Sized(Protocol):
    """What is written."""

    @property
    def write_units(self) -> int: ...


T = TypeVar("T", bound=Sized)


@dataclass
class _HotKey(Generic[T]):
    """`due` is when the next request may be sent; the counts are of the time since `looked`."""

    due: float
    looked: float
    ceiling: Ceiling = field(default_factory=lambda: Ceiling(PARTITION_UNITS))
    deferred: deque[T] = field(default_factory=deque)
    written: float = 0.0
    requests: int = 0
    throttled: int = 0
    is_new: bool = True


class HotKeys(Generic[T]):
    """Defers the changes of hot keys; `key` is the partition key of a change.

    It is empty, and costs nothing, until `throttled` is called.
    """

    def __init__(
        self, key: Callable[[T], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._key, self._clock = key, clock
        self._hot: dict[str, _HotKey[T]] = {}
        self._deferred = 0

    def __bool__(self) -> bool:
        return bool(self._hot)

    def __contains__(self, key: str) -> bool:
        return key in self._hot

    @property
    def deferred(self) -> int:
        """Changes that wait for their key."""
        return self._deferred

    @property
    def is_full(self) -> bool:
        return self._deferred >= MOST_DEFERRED

    def defer(self, changes: Iterable[T]) -> list[T]:
        """The changes of all other keys; those of hot keys come back by `next`."""
        others = []
        for change in changes:
            if hot := self._hot.get(self._key(change)):
                hot.deferred.append(change)
                self._deferred += 1
            else:
                others.append(change)
        return others

    def next(self, most: int, at_once: bool = False) -> list[T]:
        """At most so many changes of the hot key that is due longest; none if no key is due.

        `at_once`: do not wait for the pace.
        """
        now = self._clock()
        waiting = [hot for hot in self._hot.values() if hot.deferred]
        hot = min(waiting, key=lambda hot: hot.due, default=None)
        if hot is None or (hot.due > now and not at_once):
            return []
        count = min(most, len(hot.deferred))
        batch = [hot.deferred.popleft() for _ in range(count)]
        self._deferred -= count
        units = sum(change.write_units for change in batch)
        hot.due = max(hot.due, now - LATE_SECONDS) + units / hot.ceiling.rate
        return batch

    def seconds_until_due(self) -> float | None:
        """When `next` has changes; None if no change waits."""
        dues = [hot.due for hot in self._hot.values() if hot.deferred]
        return max(0.0, min(dues) - self._clock()) if dues else None

    def throttled(self, key: str) -> None:
        """A request with changes of this key was throttled because of it."""
        now = self._clock()
        hot = self._hot.setdefault(key, _HotKey(now, now))
        hot.throttled += 1
        self._look(hot, now)

    def answered(self, changes: Iterable[T]) -> None:
        """These changes were written in one request."""
        counted = set()
        for change in changes:
            key = self._key(change)
            if hot := self._hot.get(key):
                hot.written += change.write_units
                hot.requests += key not in counted
                counted.add(key)
        for key in counted:
            self._look(self._hot[key], self._clock())

    def _look(self, hot: _HotKey[T], now: float) -> None:
        seconds = now - hot.looked
        if seconds >= LOOK_SECONDS:
            # Requests that were on their way when the key was found say nothing of its pace.
            if not hot.is_new:
                requests = hot.requests + hot.throttled
                hot.ceiling.look(seconds, hot.written, requests, hot.throttled)
            hot.is_new = False
            hot.looked, hot.written, hot.requests, hot.throttled = now, 0.0, 0, 0
