"""A sample task: reads some keys of a file of expected items from the table by their keys.

Runs on executors.
"""

import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.get_items import BATCH_KEYS, get_items
from loader.dynamodb.operations import BATCH_GET_ITEM
from loader.dynamodb.reader import Reader
from loader.dynamodb.task_reader import task_reader
from loader.items.canonical import canonical_text, key_text
from loader.items.digest import digest
from loader.pace.client import Address
from loader.storage.location import Location
from loader.storage.state_part import StatePart, read_state_part
from loader.verify.comparison import LOOKED_AT, Difference
from loader.verify.second_look import kind_of

CHANCES = 1 << 32


@dataclass(frozen=True)
class SampleResult:
    """The keys of the sample, and those that differ, of which the first LOOKED_AT are listed."""

    keys: int
    counts: dict[str, int]
    differences: tuple[Difference, ...]
    consumed: float
    throttled: int
    pace_fallback: str | None = None


@dataclass(frozen=True)
class SampleTask:
    """Call it with a file of expected items. `share` of the keys are read; `seed` chooses them.

    `pace` is the address of the broker that limits the reads; None: there is no limit.
    """

    export: Location
    seed: str
    share: float
    endpoint: Endpoint
    key: tuple[str, ...]
    attributes: tuple[str, ...]
    pace: Address | None
    retry_seconds: float

    def __call__(self, part: StatePart) -> SampleResult:
        reader = task_reader(
            self.seed, BATCH_GET_ITEM, self.endpoint, self.pace, self.retry_seconds
        )
        counts: Counter[str] = Counter()
        differences: list[Difference] = []
        keys = 0
        sample = self._sample(part)
        while batch := dict(islice(sample, BATCH_KEYS)):
            keys += len(batch)
            for difference in self._compare(reader, batch, part.partition):
                counts[difference.kind] += 1
                if len(differences) < LOOKED_AT:
                    differences.append(difference)
        reader.pace.finish()
        return SampleResult(
            keys,
            dict(counts),
            tuple(differences),
            reader.consumed,
            reader.throttled,
            reader.pace.fallback,
        )

    def _sample(self, part: StatePart) -> Iterator[tuple[str, bytes]]:
        """Some keys with the digests that their items should have."""
        least = int(self.share * CHANCES)
        seed = zlib.crc32(self.seed.encode())
        for batch in read_state_part(self.export, part).to_batches(max_chunksize=10_000):
            pairs = zip(
                batch.column("key").to_pylist(), batch.column("digest").to_pylist(), strict=True
            )
            for key, expected in pairs:
                if expected is not None and zlib.crc32(key.encode(), seed) < least:
                    yield key, expected

    def _compare(
        self, reader: Reader, expected: dict[str, bytes], place: int | None
    ) -> Iterator[Difference]:
        keys = [json.loads(f"{{{key}}}") for key in expected]
        items = [item for page in get_items(reader, keys) for item in page]
        actual = {
            key_text(item, self.key): digest(canonical_text(item, self.attributes))
            for item in items
        }
        for key, wanted in expected.items():
            if kind := kind_of(wanted, actual.get(key)):
                yield Difference(kind, key, wanted, actual.get(key), place)
