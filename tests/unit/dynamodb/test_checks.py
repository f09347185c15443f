import pytest

from loader.dynamodb.checks import index_notes, index_problems, missing_table, table_problems
from loader.dynamodb.description import Index, TableDescription
from loader.warehouse.counts import Counts, count_problems

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
def test_a_table_that_fits_and_takes_writes_is_no_problem(status: str) -> None:
    table = TableDescription("items", KEY, status, on_demand=True)

    assert table_problems(table, [("user_id", "S"), ("day", "N")]) == []


@pytest.mark.parametrize(
    "status",
    ["CREATING", "DELETING", "INACCESSIBLE_ENCRYPTION_CREDENTIALS", "ARCHIVING", "ARCHIVED"],
)
def test_a_table_that_takes_no_writes_is_a_problem(status: str) -> None:
    table = TableDescription("items", KEY, status, on_demand=True)

    assert table_problems(table, KEY) == [
        f"table items must be ACTIVE or UPDATING, got {status}: wait until it is, or restore it"
    ]


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ([("user_id", "S")], "user_id (S)"),
        ([("user_id", "S"), ("day", "S")], "user_id (S), day (S)"),
        ([("day", "N"), ("user_id", "S")], "day (N), user_id (S)"),
    ],
)
def test_a_key_of_other_names_or_types_is_a_problem(key: list[tuple[str, str]], shown: str) -> None:
    assert table_problems(ITEMS, key) == [
        f"table items must have the key {shown}, got user_id (S), day (N): "
        "name it in the exposure's key, cast it in the model, or create another table"
    ]


def test_a_missing_table_is_told_with_the_option_that_makes_it() -> None:
    assert missing_table("items") == (
        "table items must exist, got none: create it, or let the loader do so with --create-table"
    )


def test_indexes_whose_keys_are_written_with_their_types_are_no_problem() -> None:
    assert index_problems(INDEXED, FITTING) == []
    assert index_notes(INDEXED, FITTING) == []


@pytest.mark.parametrize("letter", ["N", "B", "BOOL", "L", "M", "SS"])
def test_an_index_key_of_another_type_is_a_problem(letter: str) -> None:
    assert index_problems(INDEXED, {**FITTING, "country": letter}) == [
        f"attribute country must be S as key of index by_country of table items, got {letter}: "
        "cast the column in the model, or drop the index"
    ]


def test_a_wrong_key_of_the_table_is_not_told_again_for_its_indexes() -> None:
    assert index_problems(INDEXED, {**FITTING, "day": "S"}) == []


def test_an_index_whose_key_is_not_written_stays_empty_and_is_noted() -> None:
    attribute_types = {"user_id": "S", "day": "N", "country": "S"}

    assert index_problems(INDEXED, attribute_types) == []
    assert index_notes(INDEXED, attribute_types) == [
        "index by_age stays empty: the export does not write its key attribute age and city"
    ]


def test_a_read_that_is_what_was_counted_is_no_problem() -> None:
    assert count_problems("s.v", Counts(1_000, 30), 1_000, 1_000, 30) == []


def test_rows_that_were_not_read_are_a_problem() -> None:
    assert count_problems("s.v", Counts(1_000, 30), 1_000, 999, 30) == [
        "rows read from s.v must equal the 1,000 rows that the warehouse counted, got 999: "
        "plan again; if it happens again, report a bug"
    ]


def test_a_key_in_two_partitions_is_a_problem() -> None:
    assert count_problems("s.v", Counts(1_000, 30), 1_000, 1_000, 31) == [
        "items made from s.v must equal the 30 keys that the warehouse counted, got 31: a key is "
        "in two partitions, or the source changed during the read; test the model with "
        "key_in_one_partition"
    ]


def test_nothing_is_held_against_a_source_that_moved() -> None:
    assert count_problems("s.v", Counts(1_000, 30), 1_001, 999, 31) == []
