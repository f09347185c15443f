"""A scan task: reads one segment of a table into a file of keys and digests.

Runs on executors. Each attempt writes its own file, and only that of the attempt that returned
counts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.operations import SCAN
from loader.dynamodb.scan import Segment, scan
from loader.dynamodb.task_reader import task_reader
from loader.items.canonical import canonical_text, key_text
from loader.items.delta import STATE
from loader.items.digest import digest
from loader.items.item_size import item_bytes
from loader.pace.client import Address
from loader.spark.attempt import attempt
from loader.storage.location import Location
from loader.storage.state_part import STATE_PARTS, StatePart, write_state_part


@dataclass(frozen=True)
class SegmentResult:
    """What the scan of one segment read; `consumed` are read units.

    `pace_fallback` says why the task could not share the limit with the others.
    """

    part: StatePart
    bytes: int
    consumed: float
    requests: int
    throttled: int
    pace_fallback: str | None = None


@dataclass(frozen=True)
class ScanTask:
    """Call it with a segment. `path` is that of the run's folder, in the folder of the export.

    `attributes` are those of the export in the order of the item's JSON, `key` the first of them.
    `name` is that of the scan, `pace` the address of the broker that limits it; None: no limit.
    """

    export: Location
    path: str
    name: str
    endpoint: Endpoint
    key: tuple[str, ...]
    attributes: tuple[str, ...]
    pace: Address | None
    retry_seconds: float

    def __call__(self, segment: Segment) -> SegmentResult:
        reader = task_reader(self.name, SCAN, self.endpoint, self.pace, self.retry_seconds)
        sizes: list[int] = []
        batches = self._batches(scan(reader, segment), sizes)
        file = f"{segment.number:05d}-{attempt()}.arrow"
        folder = self.export / self.path / STATE_PARTS
        keys, checksum = write_state_part(folder, file, batches)
        reader.pace.finish()
        return SegmentResult(
            StatePart(None, f"{self.path}/{STATE_PARTS}/{file}", keys, checksum),
            sum(sizes),
            reader.consumed,
            reader.requests,
            reader.throttled,
            reader.pace.fallback,
        )

    def _batches(
        self, pages: Iterable[list[dict[str, Any]]], sizes: list[int]
    ) -> Iterator[pa.RecordBatch]:
        """Keys, digests and sizes (STATE) of the items; adds the bytes of each page."""
        for items in pages:
            keys = [key_text(item, self.key) for item in items]
            digests = [digest(canonical_text(item, self.attributes)) for item in items]
            bytes_ = [item_bytes(item) for item in items]
            sizes.append(sum(bytes_))
            columns = (keys, digests, bytes_, [None] * len(items))
            arrays = [pa.array(c, f.type) for c, f in zip(columns, STATE, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=STATE)
