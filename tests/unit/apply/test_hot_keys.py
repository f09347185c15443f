"""Writing a slice in which one partition key is hot, against a table in simulated time."""

import heapq
import itertools
import json
import random
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field

import pytest

from loader.apply.writer import SliceWriter
from loader.dynamodb.answers import Answer, FailureKind
from loader.dynamodb.batches import Change
from loader.dynamodb.partition_key import partition_key
from loader.dynamodb.retries import RetryBudget
from loader.pace.client import Address, Client
from loader.pace.messages import Key
from loader.pace.report import TABLE, Throttle
from loader.storage.location import Location
from loader.storage.rejects import Rejects
from loader.storage.slice_outcome import SliceOutcome

LATENCY = 0.02
PARTITION = 1_000.0
HOT_REASON = "TableWriteKeyRangeThroughputExceeded"


@pytest.fixture(autouse=True)
def _the_same_jitter() -> None:
    """The sleeps of retries are random; the limits of these tests hold for any other seed too."""
    random.seed(1)


def change(user: int, day: int) -> Change:
    key = f'"user":{{"N":"{user}"}},"day":{{"N":"{day}"}}'
    return Change(key, f'{{"PutRequest":{{"Item":{{{key}}}}}}}', 0)


@dataclass
class Partitions:
    """A table in which each partition key has a partition of its own, with a burst of 0.2 s."""

    now: float = 0.0
    requests: int = 0
    throttled: int = 0
    written: int = 0
    due: list[tuple[float, int, int, Answer]] = field(default_factory=list)
    held: dict[str, tuple[float, float]] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def send(self, number: int, body: bytes) -> None:
        puts = json.loads(body)["RequestItems"]["items"]
        refused = [put for put in puts if not self._accepts(put["PutRequest"]["Item"]["user"]["N"])]
        self.requests += 1
        self.throttled += bool(refused)
        self.written += len(puts) - len(refused)
        answer = Answer(len(puts) - len(refused), tuple(refused))
        if len(refused) == len(puts):
            answer = Answer(failure=FailureKind.THROTTLED, throttles=(Throttle(TABLE, HOT_REASON),))
        heapq.heappush(self.due, (self.now + LATENCY, next(self.numbers), number, answer))

    def _accepts(self, user: str) -> bool:
        held, since = self.held.get(user, (0.2 * PARTITION, self.now))
        held = min(0.2 * PARTITION, held + (self.now - since) * PARTITION)
        self.held[user] = (held - (held >= 1), self.now)
        return held >= 1

    def poll(self, seconds: float | None) -> list[tuple[int, Answer]]:
        first = self.due[0][0] if self.due else float("inf")
        if seconds is not None and self.now + seconds < first:
            self.now += seconds + 1e-9
            return []
        self.now = max(self.now, first)
        _, _, number, answer = heapq.heappop(self.due)
        return [(number, answer)]

    def renew(self) -> None: ...
    def reset(self) -> None: ...

    def write(self, changes: list[Change], limit: float) -> SliceOutcome:
        address = Address("127.0.0.1", 1, Key(), {TABLE: limit})  # a fixed share of the limit
        pace = Client(address, lambda: self.now, sleep=lambda _: None)
        budget = RetryBudget(60, lambda: self.now)
        with (
            tempfile.TemporaryDirectory() as folder,
            Rejects(Location(folder), "run", "export").shard("part") as rejects,
        ):
            writer = SliceWriter(
                self, "items", budget, 16, rejects, SliceOutcome(0), pace=pace,
                clock=lambda: self.now, timer=lambda: self.now,
            )  # fmt: skip
            return writer.write(changes)


@pytest.mark.parametrize("place", ["first", "last", "in the middle"])
def test_a_hot_partition_key_does_not_slow_the_others(place: str) -> None:
    hot = [change(0, day) for day in range(6_000)]
    others = [change(user, 0) for user in range(1, 14_001)]
    cut = {"first": 0, "last": len(others), "in the middle": len(others) // 2}[place]
    table = Partitions()

    outcome = table.write(others[:cut] + hot + others[cut:], limit=2_000)

    assert (outcome.acknowledged, table.written, outcome.not_sent) == (20_000, 20_000, [])
    # 20,000 items at 2,000 a second; a key that comes last cannot be written beside the others.
    best = {"first": 10.0, "last": 7.0 + 5.8, "in the middle": 10.0}[place]
    assert table.now <= 1.1 * best
    assert table.throttled <= 0.08 * table.requests


@pytest.mark.parametrize(("limit", "best"), [(2_000, 10.0), (4_000, 5.8), (6_000, 5.8)])
def test_a_hot_partition_key_beside_the_others_takes_no_longer_than_it_must(
    limit: float, best: float
) -> None:
    """As a slice interleaves them. At 2,000 a second the key has 600, which is no problem."""
    changes = [change(0, n) if n % 10 < 3 else change(n, 0) for n in range(20_000)]
    table = Partitions()

    outcome = table.write(changes, limit)

    assert (outcome.acknowledged, table.written, outcome.not_sent) == (20_000, 20_000, [])
    assert table.now <= 1.15 * best
    assert table.throttled <= (0.04 if limit > 2_000 else 0.0) * table.requests


def test_the_partition_key_is_the_first_attribute() -> None:
    keys = ['"a":{"S":"x\\"},"}', '"b":{"N":"1"}']
    assert partition_key(",".join(keys)) == keys[0]
    assert partition_key(keys[1]) == keys[1]


def test_all_partition_keys_at_their_limit_are_no_hot_key() -> None:
    """Such as an on-demand table that is asked for more than it has."""
    table = Partitions()
    counts: dict[str, int] = defaultdict(int)
    changes = [change(n % 100, n // 100) for n in range(2_000)]
    table.held = {str(user): (0.0, 1.0) for user in range(100)}

    outcome = table.write(changes, limit=2_000)

    assert (outcome.acknowledged, counts) == (2_000, {})
