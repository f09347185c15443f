"""Changes → the bodies of BatchWriteItem requests, within DynamoDB's limits.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

BATCH_CHANGES = 25
BODY_BYTES = 16 << 20


@dataclass(frozen=True)
class Change:
    """One put or delete: its key's JSON (`"user_id":{"S":"1"}`), its request, where it is from."""

    key: str
    request: str
    partition: int


def batches(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Cut a stream of changes into batches that fit one request, in order."""
    batch: list[Change] = []
    size = 0
    for change in changes:
        # A character is at most 4 bytes: count exactly only where that could matter.
        length = len(change.request) * 4
        if size + length > BODY_BYTES:
            size = sum(len(held.request.encode()) for held in batch)
            length = len(change.request.encode())
        if len(batch) == BATCH_CHANGES or (batch and size + length + 1_000 > BODY_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(change)
        size += length
    if batch:
        yield batch


def body(table: str, batch: Sequence[Change]) -> bytes:
    """The JSON of a request that writes the batch and reports what it consumed."""
    requests = ",".join([change.request for change in batch])
    name = json.dumps(table)
    return f'{{"RequestItems":{{{name}:[{requests}]}},"ReturnConsumedCapacity":"TOTAL"}}'.encode()


def unprocessed(batch: Sequence[Change], returned: Sequence[dict[str, Any]]) -> list[Change]:
    """The changes of the batch that DynamoDB gave back, found by their keys.

    Raises ValueError when DynamoDB returns something that was not sent.
    """
    keys = [(change, json.loads(f"{{{change.key}}}")) for change in batch]
    left = []
    for request in returned:
        entry = request.get("PutRequest", {}).get("Item") or request["DeleteRequest"]["Key"]
        found = [c for c, key in keys if all(_same(entry.get(n), v) for n, v in key.items())]
        if len(found) != 1:
            raise ValueError(
                f"UnprocessedItems must be of the batch, got {json.dumps(entry)[:200]}"
            )
        left.append(found[0])
    return left


def _same(one: dict[str, Any] | None, other: dict[str, Any]) -> bool:
    """Equal attribute values; a number may come back normalised (1.50 as 1.5)."""
    if one == other:
        return True
    if one and "N" in one and "N" in other:
        return Decimal(one["N"]) == Decimal(other["N"])
    return False
