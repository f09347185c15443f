"""What grouping makes items of: collected attributes, and the key whose rows pass by."""

from dataclasses import dataclass

import pyarrow as pa

from loader.items.json_text import json_text
from loader.items.limits import CONTAINER_BYTES, count_bytes

NOT_CONSTANT = (
    "attributes must be the same in all rows of a key, got different values: "
    "collect them, or make them constant in the model"
)

# One row per item. `item` is the inside of the item's JSON object, cut short in an item that is
# too large. `rows` is 0 in an item that goes on with the list of the one before it. `dropped` is
# the elements left out because the item would have been too large. `problem` is why the item
# cannot be written, null for a good one.
ITEMS = pa.schema(
    [
        pa.field("partition", pa.int32()),
        pa.field("key", pa.string()),
        pa.field("item", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("dropped", pa.int64()),
        pa.field("problem", pa.string()),
    ]
)


@dataclass(frozen=True)
class CollectedAttribute:
    """How the elements of one collected attribute become its JSON: `letter` is L, SS, NS or BS.

    An item that would be too large is rejected, unless `truncate` is first or last: then those
    elements are kept, and the attribute `dropped` counts the others; or `split` names the sort key
    that numbers the items of one list, of which the first says in the attribute `parts` how many
    there are if they are several. All three are the same for all attributes of an export.
    With `omit_nulls` an element of None is left out.
    """

    attribute: str
    type: str
    distinct: bool = False
    limit: int | None = None
    omit_nulls: bool = False
    truncate: str | None = None
    split: str | None = None
    split_count_attribute: str = ""
    dropped: str = ""

    @property
    def opening(self) -> str:
        """What stands before the elements."""
        return f',{json_text(self.attribute)}:{{"{self.type}":['

    @property
    def overhead(self) -> int:
        """Bytes beside the elements: the attribute's name, and the list's own."""
        return len(self.attribute.encode()) + (CONTAINER_BYTES if self.type == "L" else 0)

    @property
    def is_set(self) -> bool:
        return self.type != "L"

    @property
    def empty(self) -> str:
        """The problem of a set whose elements were all left out."""
        return f"set {self.attribute} must not be empty, got NULL in all rows"


def number_attribute(name: str, count: int) -> tuple[str, int]:
    """A number that is not negative as one more attribute of an item: its JSON and its bytes."""
    return f',{json_text(name)}:{{"N":"{count}"}}', len(name.encode()) + count_bytes(count)


def first_problem(known: str | None, later: str | None) -> str | None:
    """The first problem of a row; that attributes differ only where no row has one of its own."""
    return known if known and (known != NOT_CONSTANT or not later) else later


class CurrentKey:
    """The last key of a batch, which the next batch may go on with: all but its elements.

    Takes groups (grouping.py), of which the first belongs to the key.
    """

    def __init__(self, group_: pa.RecordBatch) -> None:
        self.group = group_.slice(0, 1)
        self.partition = self.group.column("partition")[0].as_py()
        self.key: str = self.group.column("key")[0].as_py()
        self.row_key: str = self.group.column("row_key")[0].as_py()
        self.attributes: str = self.group.column("attributes")[0].as_py()
        self.base_bytes: int = self.group.column("base_bytes")[0].as_py()
        self.problem: str | None = None
        self.rows = 0
        self.add(group_)

    def is_key_of(self, batch: pa.RecordBatch) -> bool:
        """True if the batch's first row belongs to this key."""
        return bool(
            batch.column("key")[0].as_py() == self.row_key
            and batch.column("partition")[0].as_py() == self.partition
        )

    def add(self, groups: pa.RecordBatch) -> None:
        self.rows += groups.column("rows")[0].as_py()
        problem = groups.column("problem")[0].as_py()
        if groups.column("attributes")[0].as_py() != self.attributes:
            problem = problem or NOT_CONSTANT
        self.problem = first_problem(self.problem, problem)
