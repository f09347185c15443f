"""Items as grouping makes them, and the attributes that they collect."""

from dataclasses import dataclass

import pyarrow as pa

from loader.items.json_text import json_text
from loader.items.limits import CONTAINER_BYTES, count_bytes

# One row per item. `item` is the item's JSON without its outer braces, cut short in an item that
# is too large. `rows` is 0 in a split item. `dropped` counts the elements left out because the item
# would have been too large. `problem` is why the item cannot be written, else null. `rows_hash` is
# the sum of the hashes of its rows, modulo 2^63; null if the rows have none.
ITEMS = pa.schema(
    [
        pa.field("partition", pa.int32()),
        pa.field("key", pa.string()),
        pa.field("item", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("dropped", pa.int64()),
        pa.field("problem", pa.string()),
        pa.field("rows_hash", pa.int64()),
    ]
)


@dataclass(frozen=True)
class CollectedAttribute:
    """How the elements of one collected attribute become its JSON: `type` is L, SS, NS or BS.

    An item that would be too large is rejected by default. With `truncate` (first or last) it
    keeps the elements at that end, and the attribute `dropped` counts the others. With `split`, the
    name of a sort key, it becomes several items, and the first has their number in
    `split_count_attribute`. All attributes of an export have the same values, except for `dropped`.
    With `omit_nulls` an element of None is left out. With `sort` the elements are in the order of
    their JSON, whatever the order of the rows.
    """

    name: str
    type: str
    distinct: bool = False
    limit: int | None = None
    omit_nulls: bool = False
    truncate: str | None = None
    split: str | None = None
    split_count_attribute: str = ""
    dropped: str = ""
    sort: bool = False

    @property
    def opening(self) -> str:
        """The JSON before the elements."""
        return f',{json_text(self.name)}:{{"{self.type}":['

    @property
    def overhead(self) -> int:
        """Bytes in addition to the elements: the name, and the list itself."""
        return len(self.name.encode()) + (0 if self.is_set else CONTAINER_BYTES)

    @property
    def is_set(self) -> bool:
        return self.type != "L"

    @property
    def is_sorted(self) -> bool:
        """Whether the elements are in the order of their JSON: a set has no order in DynamoDB."""
        return self.is_set or self.sort

    @property
    def empty_problem(self) -> str:
        """The problem of a set whose elements were all left out."""
        return f"set {self.name} must not be empty, got NULL in all rows"


def number_attribute(name: str, count: int) -> tuple[str, int]:
    """JSON and bytes of one more attribute of an item, a number that is not negative."""
    return f',{json_text(name)}:{{"N":"{count}"}}', len(name.encode()) + count_bytes(count)
