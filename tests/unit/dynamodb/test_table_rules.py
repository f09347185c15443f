from dataclasses import replace

import pytest

from loader.dynamodb.description import Index, TableDescription
from loader.dynamodb.table_rules import (
    index_keys,
    index_notes,
    index_problems,
    missing_table,
    table_problems,
)
from loader.items.index_key import IndexKey

KEY = (("user_id", "S"), ("day", "N"))
ITEMS = TableDescription("items", KEY, "ACTIVE", on_demand=True)
INDEXED = TableDescription(
    "items",
    KEY,
    "ACTIVE",
    on_demand=True,
    indexes=(
        Index("by_country", True, (("country", "S"), ("day", "N")), "ALL"),
        Index("by_age", True, (("age", "N"), ("city", "S")), "KEYS_ONLY"),
    ),
)
FITTING = {"user_id": "S", "day": "N", "country": "S", "age": "N", "city": "S", "items": "L"}


@pytest.mark.parametrize("status", ["ACTIVE", "UPDATING"])
def test_a_table_with_the_key_that_takes_writes_has_no_problem(status: str) -> None:
    table = TableDescription("items", KEY, status, on_demand=True)

    assert table_problems(table, [("user_id", "S"), ("day", "N")]) == []


@pytest.mark.parametrize(
    "status",
    ["CREATING", "DELETING", "ARCHIVING", "ARCHIVED"],
)
def test_a_table_that_takes_no_writes_is_a_problem(status: str) -> None:
    table = TableDescription("items", KEY, status, on_demand=True)

    assert table_problems(table, KEY) == [
        f"table items must be ACTIVE or UPDATING, got {status}: wait until it is, or restore it"
    ]


def test_a_table_whose_key_dynamodb_may_not_use_is_a_problem_of_its_kms_key() -> None:
    table = TableDescription("items", KEY, "INACCESSIBLE_ENCRYPTION_CREDENTIALS", on_demand=True)

    assert table_problems(table, KEY) == [
        "table items must be ACTIVE or UPDATING, got INACCESSIBLE_ENCRYPTION_CREDENTIALS: enable "
        "its KMS key, or let DynamoDB use it again, within 7 days; then DynamoDB archives the table"
    ]


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ([("user_id", "S")], "user_id (S)"),
        ([("user_id", "S"), ("day", "S")], "user_id (S), day (S)"),
        ([("day", "N"), ("user_id", "S")], "day (N), user_id (S)"),
    ],
)
def test_a_key_with_other_names_or_types_is_a_problem(
    key: list[tuple[str, str]], shown: str
) -> None:
    assert table_problems(ITEMS, key) == [
        f"table items must have the key {shown}, got user_id (S), day (N): "
        "name it in the exposure's key, cast it in the model, or create another table"
    ]


def test_a_missing_table_is_reported_with_the_flag_that_creates_it() -> None:
    assert missing_table("items") == (
        "table items must exist, got none: create it, or let the loader do so with --create-table"
    )


def test_indexes_whose_keys_are_written_with_their_types_have_no_problem() -> None:
    assert index_problems(INDEXED, FITTING) == []
    assert index_notes(INDEXED, FITTING) == []


@pytest.mark.parametrize("attribute_type", ["N", "B", "BOOL", "L", "M", "SS"])
def test_an_index_key_of_another_type_is_a_problem(attribute_type: str) -> None:
    assert index_problems(INDEXED, {**FITTING, "country": attribute_type}) == [
        "attribute country must be S as key of index by_country of table items, "
        f"got {attribute_type}: cast the column in the model, or drop the index"
    ]


def test_a_wrong_table_key_is_not_reported_again_for_its_indexes() -> None:
    assert index_problems(INDEXED, {**FITTING, "day": "S"}) == []


def test_an_index_whose_key_is_not_written_is_noted_as_empty() -> None:
    attribute_types = {"user_id": "S", "day": "N", "country": "S"}

    assert index_problems(INDEXED, attribute_types) == []
    assert index_notes(INDEXED, attribute_types) == [
        "index by_age stays empty: the export does not write its key attribute age and city"
    ]


def test_the_key_attributes_of_an_index_have_the_limits_of_their_kind_of_key() -> None:
    wide = Index("wide", True, (("a", "S"), ("b", "S"), ("c", "S")), "ALL", partition_attributes=2)

    assert index_keys(replace(INDEXED, indexes=(*INDEXED.indexes[:1], wide))) == (
        IndexKey("country", "by_country", 2048),
        IndexKey("day", "by_country", 1024),
        IndexKey("a", "wide", 2048),
        IndexKey("b", "wide", 2048),
        IndexKey("c", "wide", 1024),
    )
