from __future__ import annotations

from sandbox.capacity.costs import (
    Charge,
    delete_charges,
    put_charges,
    replacing_charges,
    update_charges,
)
from sandbox.capacity.schema import Index, Schema, read_schema
from tests.support.capacity_tables import ARN, description, item

SCHEMA = read_schema(description())


def test_the_schema_is_read_from_the_description() -> None:
    assert read_schema(description()) == Schema(
        "users",
        ARN,
        ("id", "at"),
        (
            Index("by_mail", True, "mail", ("mail",), frozenset({"mail", "id", "at"})),
            Index("by_size", False, "id", ("id", "size"), None),
        ),
    )
    assert SCHEMA.arn_of("") == ARN
    assert SCHEMA.arn_of("by_mail") == f"{ARN}/index/by_mail"


def test_a_put_costs_a_write_of_the_table_and_of_each_index_whose_keys_it_has() -> None:
    whole = item(mail={"S": "a@b"}, size={"N": "1"}, text={"S": "x" * 3_000})
    assert put_charges(SCHEMA, whole) == [
        Charge("", "", 3, "user-0"),
        Charge("by_mail", "by_mail", 1, "a@b"),
        Charge("by_size", "", 3, "user-0"),
    ]
    assert put_charges(SCHEMA, item()) == [Charge("", "", 1, "user-0")]


def test_a_put_over_a_known_item_costs_the_larger_of_both() -> None:
    small = put_charges(SCHEMA, item(mail={"S": "a@b"}))
    large = put_charges(SCHEMA, item(mail={"S": "a@b"}, text={"S": "x" * 3_000}))
    for new, old in ((small, large), (large, small)):
        assert replacing_charges(new, old) == [
            Charge("", "", 3, "user-0"),
            Charge("by_mail", "by_mail", 1, "a@b"),
        ]


def test_a_put_that_changes_the_key_of_an_index_deletes_the_entry_and_writes_one() -> None:
    old = put_charges(SCHEMA, item(mail={"S": "old@b"}))
    new = put_charges(SCHEMA, item(mail={"S": "new@b"}))
    assert replacing_charges(new, old) == [
        Charge("", "", 1, "user-0"),
        Charge("by_mail", "by_mail", 1, "old@b"),
        Charge("by_mail", "by_mail", 1, "new@b"),
    ]


def test_a_delete_of_a_known_item_costs_what_the_item_does() -> None:
    old = put_charges(SCHEMA, item(mail={"S": "a@b"}, text={"S": "x" * 3_000}))
    assert delete_charges(SCHEMA, item(), old) == [
        Charge("", "", 3, "user-0"),
        Charge("by_mail", "by_mail", 1, "a@b"),
    ]


def test_a_delete_of_an_item_that_is_not_there_costs_one_unit_of_the_table() -> None:
    assert delete_charges(SCHEMA, item(), ()) == [Charge("", "", 1, "user-0")]


def test_a_delete_of_an_unknown_item_costs_one_unit_of_the_table_and_of_each_index() -> None:
    assert delete_charges(SCHEMA, item(), None) == [
        Charge("", "", 1, "user-0"),
        Charge("by_mail", "by_mail", 1, ""),
        Charge("by_size", "", 1, "user-0"),
    ]


def test_an_update_costs_its_key_and_values() -> None:
    values = {":text": {"S": "x" * 2_000}}
    request = {"Key": item(), "ExpressionAttributeValues": values}
    assert update_charges(SCHEMA, request) == [Charge("", "", 2, "user-0")]
