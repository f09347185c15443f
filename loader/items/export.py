"""An export: the model's relation, the table, and how rows become items."""

from dataclasses import dataclass
from decimal import Decimal

from loader.capacity_setting import DEFAULT, CapacitySetting
from loader.change_limit import ChangeLimit

OMIT, KEEP, REJECT = "omit", "keep", "reject"
MIN_ROWS, MAX_DELETES = 1, ChangeLimit(Decimal(10))


@dataclass(frozen=True)
class Order:
    """One column of a sort order; nulls come first in ascending order, last in descending."""

    column: str
    descending: bool = False

    def __str__(self) -> str:
        return f"{self.column} desc" if self.descending else self.column


@dataclass(frozen=True)
class Collect:
    """An attribute made of many rows: the values of `column`, one element per row.

    `distinct` keeps the first of equal values; `limit` keeps the first elements. `nulls` is how a
    NULL is treated (omit, keep, reject). `dropped` names the attribute that counts the elements
    left out if the export truncates.
    """

    attribute: str
    column: str
    kind: str = "list"
    distinct: bool = False
    limit: int | None = None
    nulls: str = KEEP
    dropped: str = ""


@dataclass(frozen=True)
class Relation:
    """The view or table in the warehouse that dbt built for the model."""

    database: str
    schema: str
    identifier: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.identifier}"


@dataclass(frozen=True)
class Export:
    """One DynamoDB table and the model that it is made from.

    `key` is the partition key, or partition key and sort key. `order_by` orders the elements of all
    collected attributes. `partitions` is N: the partition column has 0 … N − 1. `nulls` has the
    attributes whose NULLs are not left out, and how they are treated (keep, reject). An item that
    is too large is rejected, or keeps the elements at one end (`truncate`: first, last), or is
    split into items that the sort key `split` numbers. A run that reads fewer than `min_rows` rows,
    or that deletes or changes too many keys, is refused. A run writes with at most
    `write_capacity`, a scan of the table reads with at most `read_capacity`. With `reads_all` a run
    reads unchanged rows too. The table is reached by the role `role_arn`, if there is one.
    """

    name: str
    model: str
    relation: Relation
    table: str
    key: tuple[str, ...]
    partition_column: str
    partitions: int
    collect: tuple[Collect, ...] = ()
    order_by: tuple[Order, ...] = ()
    attributes: tuple[str, ...] = ()
    nulls: tuple[tuple[str, str], ...] = ()
    truncate: str | None = None
    split: str | None = None
    min_rows: int = MIN_ROWS
    max_deletes: ChangeLimit = MAX_DELETES
    max_changes: ChangeLimit | None = None
    write_capacity: CapacitySetting = DEFAULT
    read_capacity: CapacitySetting = DEFAULT
    reads_all: bool = False
    role_arn: str = ""
    external_id: str = ""

    @property
    def sorts_elements(self) -> bool:
        """Whether the order of rows means nothing, so that the elements of an item are sorted.

        With several lists, the elements of a row stay at one position in all of them.
        """
        (first, *others) = self.collect or (None,)
        if first is None or others or self.order_by or self.truncate or self.split:
            return False
        return first.limit is None

    @property
    def table_key(self) -> tuple[str, ...]:
        """The key attributes of the table: the columns of `key`, and `split`."""
        return (*self.key, self.split) if self.split else self.key

    @property
    def split_count_attribute(self) -> str:
        """The attribute with the number of items, in the first item of a list; "" if not split."""
        return f"{self.split}_count" if self.split else ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column to read, each once, in a stable order."""
        names = [
            *self.key,
            self.partition_column,
            *(c.column for c in self.collect),
            *(o.column for o in self.order_by),
            *self.attributes,
        ]
        return tuple(dict.fromkeys(names))
