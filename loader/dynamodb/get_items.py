"""Reads items by their keys, in batches and consistently.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from loader.dynamodb.reader import Reader
from loader.dynamodb.retries import RetryBudget, full_jitter
from loader.errors import ReadFailed

BATCH_KEYS = 100


def get_items(reader: Reader, keys: Iterable[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The items that the table has of these keys, in DynamoDB JSON; one list per batch of keys.

    An answer has at most 16 MB, and DynamoDB may return any key as unprocessed, which is read
    again. Raises `ReadFailed`.
    """
    stream = iter(keys)
    while batch := list(islice(stream, BATCH_KEYS)):
        items: list[dict[str, Any]] = []
        budget = RetryBudget(reader.retry_budget.seconds, reader.retry_budget.clock)
        retries = 0
        while batch:
            document = reader.read(_body(reader.table, batch))
            returned = [item for items in document["Responses"].values() for item in items]
            unprocessed = (document.get("UnprocessedKeys") or {}).values()
            items += returned
            batch = [key for table in unprocessed for key in table["Keys"]]
            if returned:
                budget.succeeded()
                retries = 0
            elif batch:
                if budget.failed():
                    raise _nothing_processed(reader)
                retries += 1
                reader.sleep(full_jitter(retries))
        yield items


def _nothing_processed(reader: Reader) -> ReadFailed:
    return ReadFailed(
        f"cannot read the items of table {reader.table} for {reader.retry_budget.seconds:g} s: "
        "every key came back unprocessed. Nothing was written: give a lower --read-capacity, then "
        "run the command again"
    )


def _body(table: str, keys: list[Mapping[str, Any]]) -> bytes:
    request = {table: {"Keys": keys, "ConsistentRead": True}}
    document = {"RequestItems": request, "ReturnConsumedCapacity": "TOTAL"}
    return json.dumps(document).encode()
