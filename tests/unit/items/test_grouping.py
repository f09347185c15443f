import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.items.collected_attribute import CollectedAttribute
from loader.items.grouping import group
from loader.items.key_runs import NOT_CONSTANT
from loader.items.limits import ITEM_BYTES
from loader.items.text_encoding import TextKey
from tests.support.encoded_rows import Row, batch_of, batches_of, key_of, text
from tests.support.grouping_model import grouped, items_by_hand, users

ITEMS_LIST = CollectedAttribute("items", "L")


def text_of(key: str | None) -> str:
    """The user in a key's JSON."""
    return str(json.loads(f"{{{key}}}")["user_id"]["S"])


attributes = st.builds(
    CollectedAttribute,
    st.sampled_from(["items", "ключ", 'q"']),
    st.sampled_from(["L", "SS"]),
    st.booleans(),
    st.none() | st.integers(1, 4),
)


@given(st.data(), st.lists(attributes, max_size=2))
def test_a_key_read_as_text_makes_the_same_items(
    data: st.DataObject, collected: list[CollectedAttribute]
) -> None:
    rows = data.draw(users(collected, hashed=True))
    as_text = [replace(row, key=text_of(row.key)) for row in rows]
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8))

    items = list(
        group(
            batches_of(as_text, cuts, len(collected)),
            collected,
            TextKey("user_id"),
        )
    )

    items = [item for batch in items for item in batch.to_pylist()]
    assert items == items_by_hand(rows, collected, ITEM_BYTES)


@given(st.data(), st.lists(attributes, max_size=2))
def test_items_equal_those_grouped_by_hand_wherever_batches_are_cut(
    data: st.DataObject, collected: list[CollectedAttribute]
) -> None:
    rows = data.draw(users(collected, hashed=True))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8))

    items = grouped(batches_of(rows, cuts, len(collected)), collected)

    assert items == items_by_hand(rows, collected, ITEM_BYTES)


@settings(max_examples=60)
@given(st.data(), st.lists(attributes, min_size=1, max_size=2), st.integers(20, 120))
def test_too_large_items_have_their_exact_size_wherever_batches_are_cut(
    data: st.DataObject, collected: list[CollectedAttribute], limit: int
) -> None:
    rows = data.draw(users(collected, hashed=data.draw(st.booleans())))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8))
    expected = items_by_hand(rows, collected, limit)

    items = grouped(batches_of(rows, cuts, len(collected)), collected, limit)

    # The text of an item that is too large may be cut short.
    for item, wanted in zip(items, expected, strict=True):
        if wanted["size"] > limit:
            assert len(item["item"]) <= len(wanted["item"])
            item["item"] = wanted["item"] = "cut short"
    assert items == expected


@settings(max_examples=30)
@given(st.data(), st.lists(attributes, max_size=1))
def test_an_item_is_yielded_once_a_row_of_the_next_one_is_read(
    data: st.DataObject, collected: list[CollectedAttribute]
) -> None:
    rows = data.draw(users(collected))
    taken = 0

    def source() -> Any:
        nonlocal taken
        for row in rows:
            taken += 1
            yield batch_of([row], len(collected))

    for batch in group(source(), collected):
        for item in batch.to_pylist():
            of_item = [(row.partition, row.key) == (item["partition"], item["key"]) for row in rows]
            last = max(i for i, belongs in enumerate(of_item) if belongs)
            assert taken == min(last + 2, len(rows))


def test_a_null_in_a_set_is_a_problem_and_the_other_elements_are_sorted() -> None:
    values = [('"b"', 1), (None, 1), ('"a"', 1)]
    rows = [Row(0, key_of("1"), (value,), problem=None if value[0] else "NULL") for value in values]

    for batches in ([batch_of(rows)], [batch_of([row]) for row in rows]):
        (item,) = grouped(batches, [CollectedAttribute("tags", "SS", distinct=True)])
        assert (item["item"], item["problem"]) == (
            '"user_id":{"S":"1"},"tags":{"SS":["a","b"]}',
            "NULL",
        )


def test_elements_keep_their_order_and_their_duplicates() -> None:
    rows = [Row(0, key_of("1"), (text(value),)) for value in ("b", "a", "b", "b")]

    assert grouped([batch_of(rows)], [ITEMS_LIST]) == [
        {
            "partition": 0,
            "key": '"user_id":{"S":"1"}',
            "item": '"user_id":{"S":"1"},"items":{"L":[{"S":"b"},{"S":"a"},{"S":"b"},{"S":"b"}]}',
            "size": 10 + len("items") + 3 + 4 * 2,
            "rows": 4,
            "dropped": 0,
            "rows_hash": None,
            "problem": None,
        }
    ]


def test_distinct_keeps_the_first_of_equal_elements_and_limit_the_first_elements() -> None:
    collected = [
        CollectedAttribute("first", "L", limit=2),
        CollectedAttribute("all", "SS", distinct=True),
        CollectedAttribute("some", "L", distinct=True, limit=2),
    ]
    rows = [Row(0, key_of("1"), (text(v), (f'"{v}"', 1), text(v))) for v in "aababc"]

    (item,) = grouped([batch_of(rows[:3]), batch_of(rows[3:])], collected)

    assert json.loads(f"{{{item['item']}}}") == {
        "user_id": {"S": "1"},
        "first": {"L": [{"S": "a"}, {"S": "a"}]},
        "all": {"SS": ["a", "b", "c"]},
        "some": {"L": [{"S": "a"}, {"S": "b"}]},
    }
    assert item["size"] == 10 + (5 + 3 + 2 * 2) + (3 + 3 * 1) + (4 + 3 + 2 * 2)


def test_distinct_and_limit_start_again_with_every_key() -> None:
    rows = [Row(0, key_of(name), (text("a"),)) for name in ("1", "1", "2", "3")]

    items = grouped(
        batches_of(rows, [1, 3], 1), [CollectedAttribute("items", "L", distinct=True, limit=1)]
    )

    assert [(item["item"], item["rows"]) for item in items] == [
        ('"user_id":{"S":"1"},"items":{"L":[{"S":"a"}]}', 2),
        ('"user_id":{"S":"2"},"items":{"L":[{"S":"a"}]}', 1),
        ('"user_id":{"S":"3"},"items":{"L":[{"S":"a"}]}', 1),
    ]


def test_keys_and_elements_with_quotes_and_unicode_are_valid_json() -> None:
    names = ['a"b', "back\\slash", "日本", "tab\t", "emoji 😀"]
    rows = [Row(0, key_of(name), (text(name),)) for name in names]

    items = grouped([batch_of(rows)], [CollectedAttribute('the "items"', "L")])

    assert [json.loads(f"{{{item['item']}}}") for item in items] == [
        {"user_id": {"S": name}, 'the "items"': {"L": [{"S": name}]}} for name in names
    ]


def test_one_key_in_two_partitions_makes_two_items() -> None:
    rows = [Row(partition, key_of("1"), (text("a"),)) for partition in (0, 1)]

    for cuts in ([], [1]):
        items = grouped(batches_of(rows, cuts, 1), [ITEMS_LIST])
        assert [(item["partition"], item["rows"]) for item in items] == [(0, 1), (1, 1)]


@pytest.mark.parametrize("cuts", [[], [1]])
def test_a_key_has_one_row_where_nothing_is_collected(cuts: list[int]) -> None:
    rows = [Row(0, key_of(name), attributes=',"n":{"N":"1"}') for name in ("1", "1", "2")]

    items = grouped(batches_of(rows, cuts, 0), [])

    assert [(item["item"], item["rows"], item["problem"]) for item in items] == [
        ('"user_id":{"S":"1"},"n":{"N":"1"}', 2, "a key must have one row, got 2"),
        ('"user_id":{"S":"2"},"n":{"N":"1"}', 1, None),
    ]


@pytest.mark.parametrize("cuts", [[], [1], [2], [1, 2]])
def test_attributes_that_differ_within_a_key_reject_only_that_item(
    cuts: list[int],
) -> None:
    rows = [
        Row(0, key_of(name), (text("a"),), f',"n":{{"N":"{number}"}}')
        for name, number in [("1", 1), ("1", 2), ("1", 1), ("2", 5)]
    ]

    items = grouped(batches_of(rows, cuts, 1), [ITEMS_LIST])

    assert [item["problem"] for item in items] == [NOT_CONSTANT, None]


@pytest.mark.parametrize("cuts", [[], [1]])
def test_attributes_are_compared_across_batches(cuts: list[int]) -> None:
    rows = [Row(0, key_of("1"), (text("a"),), f',"n":{{"N":"{n}"}}') for n in (1, 2)]

    items = grouped(batches_of(rows, cuts, 1), [ITEMS_LIST])

    assert [item["problem"] for item in items] == [NOT_CONSTANT]


@pytest.mark.parametrize("cuts", [[], [1], [2], [1, 2]])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_an_item_has_the_first_problem_of_its_rows(at: int, cuts: list[int]) -> None:
    problems = [None] * at + ["bad"] + ["worse"] * (2 - at)
    rows = [Row(0, key_of("1"), (text("a"),), problem=problem) for problem in problems]

    items = grouped(batches_of([*rows, Row(0, key_of("2"), (text("a"),))], cuts, 1), [ITEMS_LIST])

    assert [(item["rows"], item["problem"]) for item in items] == [(3, "bad"), (1, None)]


def test_the_problem_of_an_item_does_not_depend_on_where_batches_are_cut() -> None:
    rows = [
        Row(0, key_of("1"), (text("a"),), ',"n":{"N":"1"}'),
        Row(0, key_of("1"), (text("a"),), ',"n":{"N":"2"}'),
        Row(0, key_of("1"), (text("a"),), ',"n":{"N":"2"}', problem="bad"),
    ]

    whole, cut = (grouped(batches_of(rows, cuts, 1), [ITEMS_LIST]) for cuts in ([], [1]))

    assert whole == cut
    assert [item["problem"] for item in whole] == ["bad"]


def test_an_item_of_exactly_the_limit_is_good_and_one_byte_more_is_not() -> None:
    overhead = len("items") + 3 + 1
    rows = [
        Row(0, key_of(name), (text("x" * (ITEM_BYTES - overhead - 10 + excess)),))
        for name, excess in (("1", 0), ("2", 1))
    ]

    items = grouped([batch_of(rows)], [ITEMS_LIST])

    assert [(item["size"], item["problem"]) for item in items] == [
        (409_600, None),
        (409_601, "item must be at most 409600 bytes, got 409601"),
    ]


def test_the_text_of_an_item_stops_growing_at_the_limit_while_its_size_is_counted() -> None:
    row = Row(0, key_of("1"), (text("x" * 999), text("y")))
    batch = batch_of([row] * 100)
    collected = [ITEMS_LIST, CollectedAttribute("more", "L")]

    *others, item, last = grouped(
        [batch] * 30 + [batch_of([Row(0, key_of("2"), row.elements)])], collected
    )

    assert others == []
    size = 10 + (5 + 3 + 3_000 * 1_000) + (4 + 3 + 3_000 * 2)
    problem = f"item must be at most 409600 bytes, got {size}"
    assert (item["size"], item["rows"], item["problem"]) == (size, 3_000, problem)
    batch_text = 100 * len(f'{{"S":"{"x" * 999}"}},{{"S":"y"}},')
    assert len(item["item"]) < ITEM_BYTES + 2 * batch_text
    assert last["problem"] is None


def test_no_rows_make_no_items() -> None:
    assert grouped([], [ITEMS_LIST]) == []
    assert grouped([batch_of([], 1), batch_of([], 1)], [ITEMS_LIST]) == []
