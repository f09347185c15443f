"""Changes → the bodies of BatchWriteItem requests, within DynamoDB's limits.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

BATCH_CHANGES = 25
BODY_BYTES = 16 << 20
# The body beside its requests: names, brackets, a table name of at most 255 characters.
FRAME_BYTES = 1_000


class Change(NamedTuple):
    """One put or delete: its key's JSON (`"user_id":{"S":"1"}`), its request, where it is from.

    A tuple, since one is made for every item that is written.
    """

    key: str
    request: str
    partition: int


def batches(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Cut a stream of changes into batches that fit one request, in order."""
    stream = iter(changes)
    while batch := list(islice(stream, BATCH_CHANGES)):
        # A character is at most 4 bytes: count exactly only where that could matter.
        if 4 * sum(len(change.request) for change in batch) + FRAME_BYTES <= BODY_BYTES:
            yield batch
        else:
            yield from _by_size(batch)


def _by_size(changes: list[Change]) -> Iterator[list[Change]]:
    batch: list[Change] = []
    size = FRAME_BYTES
    for change in changes:
        length = len(change.request.encode()) + 1
        if batch and size + length > BODY_BYTES:
            yield batch
            batch, size = [], FRAME_BYTES
        batch.append(change)
        size += length
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
    if not returned:
        return []
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
