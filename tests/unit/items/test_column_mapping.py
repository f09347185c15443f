from dataclasses import replace

from pyspark.sql import types as T

from loader.items.column_mapping import attribute_types
from loader.items.export import Collect
from tests.support.exports import SHORT

SCHEMA = (
    T.StructType()
    .add("user", T.StringType())
    .add("item", T.StringType())
    .add("price", T.DecimalType(10, 2))
    .add("flag", T.BooleanType())
)
EXPORT = replace(
    SHORT,
    collect=(
        Collect("items", "item", dropped="items_dropped"),
        Collect("prices", "price", "set", dropped="prices_dropped"),
    ),
    attributes=("flag",),
)


def test_attributes_come_in_the_order_of_the_item() -> None:
    types = {"user": "S", "items": "L", "prices": "NS", "flag": "BOOL"}
    assert list(attribute_types(EXPORT, SCHEMA).items()) == list(types.items())


def test_a_truncated_item_ends_with_the_counts_of_what_was_dropped() -> None:
    assert list(attribute_types(replace(EXPORT, truncate="last"), SCHEMA).items()) == [
        ("user", "S"),
        ("items", "L"),
        ("prices", "NS"),
        ("flag", "BOOL"),
        ("items_dropped", "N"),
        ("prices_dropped", "N"),
    ]


def test_a_split_item_has_its_number_in_the_key_and_ends_with_their_count() -> None:
    assert list(attribute_types(replace(EXPORT, split="part"), SCHEMA).items()) == [
        ("user", "S"),
        ("part", "N"),
        ("items", "L"),
        ("prices", "NS"),
        ("flag", "BOOL"),
        ("part_count", "N"),
    ]
