"""Items that would be too large are truncated or split, wherever the batches of rows are cut."""

import json
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.items.collected_attribute import CollectedAttribute
from loader.items.element_filter import KeyRows
from loader.items.key_runs import NOT_CONSTANT
from loader.items.limits import ITEM_BYTES
from loader.items.oversize import KeepFirst, KeepLast, SplitIntoItems
from tests.support.encoded_rows import Row, batch_of, batches_of, key_of, text
from tests.support.grouping_model import Item, grouped, users
from tests.support.oversize_model import oversize_items_by_hand


def comparable(items: list[Item]) -> list[Item]:
    """Only partition, key, rows and reason of a reject, since its text may be cut short."""
    return [
        item
        if item["problem"] is None
        else {
            "partition": item["partition"],
            "key": item["key"],
            "rows": item["rows"],
            "problem": "too large" if "item must" in item["problem"] else item["problem"],
        }
        for item in items
    ]


@st.composite
def policies(draw: st.DrawFn) -> list[CollectedAttribute]:
    policy = draw(st.sampled_from(["first", "last", "split"]))
    truncate, split = (None, "nr") if policy == "split" else (policy, None)
    return [
        CollectedAttribute(
            name,
            type_,
            type_ != "L" or draw(st.booleans()),
            draw(st.none() | st.integers(1, 4)),
            False,
            truncate,
            split,
            "of" if split else "",
            "" if split else f"{name}_dropped",
        )
        for name, type_ in draw(
            st.sampled_from(
                [
                    [("items", "L")],
                    [("a", "L"), ("b", "L")],
                    [("s", "SS"), ("items", "L")],
                    [("s", "SS"), ("a", "L"), ("t", "SS"), ("b", "L")],
                ]
            )
        )
    ]


@settings(deadline=None, max_examples=300)
@given(st.data(), policies(), st.integers(25, 120))
def test_oversize_items_equal_those_made_by_hand_wherever_batches_are_cut(
    data: st.DataObject, collected: list[CollectedAttribute], limit: int
) -> None:
    rows = data.draw(users(collected))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8))

    items = grouped(batches_of(rows, cuts, len(collected)), collected, limit)

    assert comparable(items) == comparable(list(oversize_items_by_hand(rows, collected, limit)))
    assert all(item["size"] <= limit for item in items if item["problem"] is None)
    assert sum(item["rows"] for item in items) == len(rows)


ROWS = [Row(0, key_of("1"), (text(f"{n:05d}" + "x" * 994),)) for n in range(1_000)]
OTHER = Row(0, key_of("2"), (text("y"),))


def elements_of(item: Item) -> list[int]:
    values = json.loads(f"{{{item['item']}}}")["items"]["L"]
    return [int(value["S"][:5]) for value in values]


@pytest.mark.parametrize(("end", "kept"), [("first", range(409)), ("last", range(591, 1_000))])
def test_a_truncated_item_keeps_one_end_within_the_limit_and_counts_the_rest(
    end: str, kept: range
) -> None:
    attribute = CollectedAttribute("items", "L", truncate=end, dropped="lost")

    items = grouped(batches_of([*ROWS, OTHER], [300, 301, 900], 1), [attribute])

    values = json.loads(f"{{{items[0]['item']}}}")
    size = 10 + (5 + 3 + 409 * 1_000) + (4 + 3)
    assert elements_of(items[0]) == list(kept)
    assert values["lost"] == {"N": "591"}
    assert {k: items[0][k] for k in ("size", "rows", "dropped", "problem")} == {
        "size": size,
        "rows": 1_000,
        "dropped": 591,
        "problem": None,
    }
    assert items[1]["item"] == '"user_id":{"S":"2"},"items":{"L":[{"S":"y"}]}'
    assert items[1]["dropped"] == 0


TAGGED = [Row(0, key_of("1"), (text(f"{n}" + "x" * 99_999), ('"t"', 1))) for n in range(5)]


@pytest.mark.parametrize("cuts", [[], [1, 2, 3, 4], [3]])
@pytest.mark.parametrize(("end", "kept"), [("first", "0123"), ("last", "1234")])
@pytest.mark.parametrize(
    "tags",
    [
        CollectedAttribute("tags", "SS", True),
        CollectedAttribute("tags", "L", True),
        CollectedAttribute("tags", "SS", True, limit=1),
        CollectedAttribute("tags", "L", True, limit=1, omit_nulls=True),
    ],
)
def test_a_truncated_item_has_the_distinct_elements_of_the_rows_that_it_keeps(
    tags: CollectedAttribute, end: str, kept: str, cuts: list[int]
) -> None:
    policy = [
        CollectedAttribute("items", "L", truncate=end, dropped="lost"),
        replace(tags, truncate=end, dropped="lost_tags"),
    ]

    (item,) = grouped(batches_of(TAGGED, cuts, 2), policy)

    values = json.loads(f"{{{item['item']}}}")
    assert [value["S"][0] for value in values["items"]["L"]] == list(kept)
    assert (values["tags"], values["lost"]) == ({tags.type: ["t"]}, {"N": "1"})
    assert "lost_tags" not in values
    assert item["dropped"] == 1


def test_a_distinct_list_that_is_truncated_is_that_of_the_longest_run_of_last_rows() -> None:
    values = [text(letter * 150_000) for letter in "abca"]
    rows = [Row(0, key_of("1"), (value,)) for value in values]
    attribute = CollectedAttribute("items", "L", True, truncate="last", dropped="lost")

    (item,) = grouped([batch_of(rows)], [attribute])

    elements = json.loads(f"{{{item['item']}}}")["items"]["L"]
    assert [element["S"][0] for element in elements] == ["c", "a"]
    assert item["dropped"] == 1


def test_rows_that_repeat_an_element_hold_a_few_bytes_each() -> None:
    policy = KeepLast(40_000, 39_000, [True])
    tag = "x" * 30_000
    batch = pa.RecordBatch.from_pydict({"element_0": [tag] * 100, "size_0": [30_000] * 100})
    for number in range(100):
        policy.add(KeyRows(batch, [pa.array([not number] + [False] * 99)]))

    assert held_bytes(policy) < 100 * 100 * 5
    assert [rows.to_pylist()[0]["size_0"] for rows in policy.item_rows()] == [30_000]


def test_a_split_list_continues_in_numbered_items_and_no_element_is_lost() -> None:
    items = grouped(
        batches_of([*ROWS, OTHER], [300, 301, 900], 1),
        [CollectedAttribute("items", "L", split="part", split_count_attribute="parts")],
    )

    assert [(item["key"], item["rows"], item["size"]) for item in items] == [
        (f'{key_of("1")},"part":{{"N":"0"}}', 1_000, 10 + 4 + 1 + 5 + 3 + 409_000 + 5 + 2),
        (f'{key_of("1")},"part":{{"N":"1"}}', 0, 10 + 4 + 2 + 5 + 3 + 409_000),
        (f'{key_of("1")},"part":{{"N":"2"}}', 0, 10 + 4 + 2 + 5 + 3 + 182_000),
        (f'{key_of("2")},"part":{{"N":"0"}}', 1, 10 + 4 + 1 + 5 + 3 + 2),
    ]
    assert [n for item in items[:3] for n in elements_of(item)] == list(range(1_000))
    assert [json.loads(f"{{{item['item']}}}").get("parts") for item in items] == [
        {"N": "3"},
        None,
        None,
        None,
    ]


def test_a_row_with_a_problem_rejects_all_items_of_its_key_even_full_ones() -> None:
    bad = Row(0, key_of("1"), (text("z"),), problem="bad")

    items = grouped(
        batches_of([*ROWS, bad, OTHER], [300, 900], 1),
        [CollectedAttribute("items", "L", split="part", split_count_attribute="parts")],
    )

    assert [(item["rows"], item["problem"]) for item in items] == [(1_001, "bad"), (1, None)]


def test_an_element_that_fits_in_no_item_rejects_its_key() -> None:
    huge = Row(0, key_of("1"), (text("z" * ITEM_BYTES),))
    rows = [*ROWS[:500], huge, OTHER]

    items = grouped(
        batches_of(rows, [200], 1),
        [CollectedAttribute("items", "L", split="part", split_count_attribute="parts")],
    )

    size = 10 + 5 + 3 + (4 + 2) + ITEM_BYTES + 1  # as item 1, after a full one
    assert [(item["rows"], item["problem"]) for item in items] == [
        (501, f"item must be at most 409600 bytes, got {size}"),
        (1, None),
    ]


@pytest.mark.parametrize("policy", [{"truncate": "first"}, {"truncate": "last"}, {"split": "n"}])
def test_key_and_attributes_over_the_limit_reject_the_item_under_every_policy(
    policy: dict[str, str],
) -> None:
    row = Row(0, key_of("1"), (text("a"),), base_bytes=ITEM_BYTES)

    (item,) = grouped(
        [batch_of([row])],
        [CollectedAttribute("items", "L", split_count_attribute="parts", dropped="lost", **policy)],
    )  # type: ignore[arg-type]

    # The smallest possible item: with the element, or with the counts.
    size = ITEM_BYTES + 5 + 3 + (1 + 1 + 2 + 5 + 7 if "split" in policy else 4 + 7)
    assert item["problem"] == f"item must be at most 409600 bytes, got {size}"


def test_attributes_that_differ_reject_an_item_that_would_be_truncated() -> None:
    other = Row(0, key_of("1"), (text("z"),), attributes=',"n":{"N":"1"}')

    items = grouped(
        batches_of([*ROWS, other], [700], 1),
        [CollectedAttribute("items", "L", truncate="last", dropped="d")],
    )

    size = 10 + 5 + 3 + 1_000_000 + 2
    assert [(item["rows"], item["size"], item["problem"]) for item in items] == [
        (1_001, size, NOT_CONSTANT)
    ]


def test_rows_without_a_kept_element_are_left_out() -> None:
    batch = batch_of([Row(0, key_of("1"), (text("a"), text("b")))] * 4)
    first_two, last = pa.array([True, True, False, False]), pa.array([False, False, False, True])

    rows = KeyRows(batch.slice(1, 3), [first_two.slice(1), last.slice(1)])

    assert rows.kept.to_pylist() == [
        {"element_0": '{"S":"a"}', "size_0": 2, "element_1": None, "size_1": 0},
        {"element_0": None, "size_0": 0, "element_1": '{"S":"b"}', "size_1": 2},
    ]


NULLS = [Row(0, key_of("1"), (v,)) for v in ((None, 2), text("a"), (None, 2), text("b"))]


@pytest.mark.parametrize("cuts", [[], [1], [2, 3]])
@pytest.mark.parametrize(
    ("attribute", "kept"),
    [
        (CollectedAttribute("items", "L", omit_nulls=True), "ab"),
        (CollectedAttribute("items", "L", omit_nulls=True, limit=1), "a"),
        (CollectedAttribute("items", "L", omit_nulls=True, distinct=True), "ab"),
        (CollectedAttribute("items", "L", omit_nulls=True, truncate="first", dropped="d"), "ab"),
    ],
)
def test_omitted_nulls_are_not_elements(
    attribute: CollectedAttribute, kept: str, cuts: list[int]
) -> None:
    (item,) = grouped(batches_of(NULLS, cuts, 1), [attribute])  # type: ignore[arg-type]

    values = ",".join(f'{{"S":"{v}"}}' for v in kept)
    assert item["item"] == f'"user_id":{{"S":"1"}},"items":{{"L":[{values}]}}'
    assert (item["size"], item["rows"], item["dropped"]) == (10 + 8 + 2 * len(kept), 4, 0)


@pytest.mark.parametrize("policy", [{}, {"truncate": "first"}, {"split": "part"}])
def test_a_set_with_only_nulls_is_rejected_because_dynamodb_has_no_empty_set(
    policy: dict[str, str],
) -> None:
    attribute = CollectedAttribute("tags", "SS", True, omit_nulls=True, **policy)  # type: ignore[arg-type]
    rows = [Row(0, key_of(name), ((value, 1),)) for name, value in (("1", None), ("2", '"a"'))]  # type: ignore[arg-type]

    items = grouped([batch_of(rows)], [attribute])

    assert [item["problem"] for item in items] == [
        "set tags must not be empty, got NULL in all rows",
        None,
    ]


def held_bytes(policy: KeepFirst | KeepLast | SplitIntoItems) -> int:
    return sum(batch.nbytes for batch in policy.rows)


@pytest.mark.parametrize(
    "policy",
    [KeepFirst(40_000, 39_000), KeepLast(40_000, 39_000, [False]), SplitIntoItems(40_000, 100)],
    ids=type,
)
def test_a_policy_holds_the_rows_of_about_one_item(
    policy: KeepFirst | KeepLast | SplitIntoItems,
) -> None:
    element = "x" * 1_000
    rows = pa.RecordBatch.from_pydict(
        {"element_0": pa.array([element] * 10), "size_0": pa.array([1_000] * 10, pa.int64())}
    )
    for _ in range(500):
        policy.add(KeyRows(rows, [pa.array([True] * 10)]))
        assert held_bytes(policy) <= 40_000 + 2 * 10_000 + 5_000

    counts = [rows.num_rows for rows in policy.item_rows()]
    assert counts == ([39] if not isinstance(policy, SplitIntoItems) else [39] * 128 + [8])
