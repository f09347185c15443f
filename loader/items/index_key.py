"""A key attribute of a secondary index, which the items of its table must fit."""

from dataclasses import dataclass


@dataclass(frozen=True)
class IndexKey:
    """DynamoDB rejects an item whose attribute is NULL, empty, or longer than `most_bytes`.

    An item without the attribute is not in the index:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
    """

    attribute: str
    index: str
    most_bytes: int

    def __str__(self) -> str:
        return f"as key of index {self.index}"
