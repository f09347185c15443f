"""Reads a segment of a table by Scan, one page in memory.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from loader.dynamodb.read_rate import PAGE_UNITS
from loader.dynamodb.reader import Reader

MOST_ITEMS = 100_000


@dataclass(frozen=True)
class Segment:
    """One of the `total` parts of a table; each item is in exactly one of them."""

    number: int
    total: int


def scan(reader: Reader, segment: Segment) -> Iterator[list[dict[str, Any]]]:
    """The items of the segment in DynamoDB JSON, a page at a time; a page may be empty.

    Consistent reads: an item that was written before the scan is in it.
    """
    items = int(_page_units(reader))  # if each takes one unit
    start: dict[str, Any] | None = None
    while True:
        before = reader.consumed
        page = reader.read(_body(reader.table, segment, items, start))
        yield page["Items"]
        start = page.get("LastEvaluatedKey")
        if not start:
            return
        units = reader.consumed - before
        items = _next_items(items, len(page["Items"]), units, _page_units(reader))


def _page_units(reader: Reader) -> float:
    return max(1.0, min(PAGE_UNITS, reader.pace.page_units))


def _next_items(asked: int, returned: int, units: float, target: float) -> int:
    """The items of the next page, by the units of the last one; at most four times as many."""
    fitting = int(target * returned / units) if units and returned else asked
    return max(1, min(fitting, 4 * asked, MOST_ITEMS))


def _body(table: str, segment: Segment, items: int, start: dict[str, Any] | None) -> bytes:
    request: dict[str, Any] = {
        "TableName": table,
        "Segment": segment.number,
        "TotalSegments": segment.total,
        "Limit": items,
        "ConsistentRead": True,
        "ReturnConsumedCapacity": "TOTAL",
    }
    if start:
        request["ExclusiveStartKey"] = start
    return json.dumps(request).encode()
