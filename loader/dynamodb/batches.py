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
# The body without its requests: names, brackets, a table name of at most 255 characters.
FRAME_BYTES = 1_000


class Change(NamedTuple):
    """One put or delete: the JSON of its key (`"user_id":{"S":"1"}`) and of its request.

    A tuple for speed: there is one per item. `write_units` are an estimate for the pace.
    """

    key: str
    request: str
    partition: int
    write_units: int = 1


def batches(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Cut a stream of changes into batches, in order; each batch fits one request."""
    stream = iter(changes)
    while batch := list(islice(stream, BATCH_CHANGES)):
        # A character has at most 4 bytes: count exactly only if the limit is near.
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


def body(table: str, batch: Sequence[Change], capacity: str = "TOTAL") -> bytes:
    """The JSON of a request that writes the batch and returns the consumed capacity.

    `capacity`: TOTAL, or INDEXES for the table and each index.
    """
    requests = ",".join([change.request for change in batch])
    name = json.dumps(table)
    tail = f'"ReturnConsumedCapacity":"{capacity}"'
    return f'{{"RequestItems":{{{name}:[{requests}]}},{tail}}}'.encode()


def unprocessed(batch: Sequence[Change], returned: Sequence[dict[str, Any]]) -> list[Change]:
    """The changes of the batch whose keys DynamoDB returned; ValueError for any other key."""
    if not returned:
        return []
    keys = [(change, json.loads(f"{{{change.key}}}")) for change in batch]
    remaining = []
    for request in returned:
        entry = request.get("PutRequest", {}).get("Item") or request["DeleteRequest"]["Key"]
        matches = [c for c, key in keys if all(_same(entry.get(n), v) for n, v in key.items())]
        if len(matches) != 1:
            raise ValueError(
                "cannot match UnprocessedItems with the batch: unknown item "
                f"{json.dumps(entry)[:200]}"
            )
        remaining.append(matches[0])
    return remaining


def _same(returned: dict[str, Any] | None, sent: dict[str, Any]) -> bool:
    """Equal attribute values; a number may come back normalised (1.50 as 1.5)."""
    if returned and "N" in returned and "N" in sent:
        return Decimal(returned["N"]) == Decimal(sent["N"])
    return returned == sent
