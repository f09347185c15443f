import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.dynamodb import batches as module
from loader.dynamodb.batches import BODY_BYTES, Change, batches, body, unprocessed


def put(key: dict[str, Any], request: str | None = None) -> Change:
    text = json.dumps(key)
    return Change(text[1:-1], request or f'{{"PutRequest":{{"Item":{text}}}}}', 0)


def delete(key: dict[str, Any]) -> Change:
    text = json.dumps(key)
    return Change(text[1:-1], f'{{"DeleteRequest":{{"Key":{text}}}}}', 0)


def user(name: str) -> dict[str, Any]:
    return {"user_id": {"S": name}}


def returned(item: dict[str, Any]) -> dict[str, Any]:
    return {"PutRequest": {"Item": item}}


def sized(requests: Sequence[str]) -> list[list[int]]:
    changes = [Change("", request, 0) for request in requests]
    return [[len(change.request) for change in batch] for batch in batches(changes)]


@given(st.integers(0, 120))
def test_a_batch_has_at_most_25_changes_and_only_the_last_has_fewer(count: int) -> None:
    changes = [put(user(str(n))) for n in range(count)]

    cut = list(batches(changes))

    assert [change for batch in cut for change in batch] == changes
    assert [len(batch) for batch in cut] == [25] * (count // 25) + [count % 25] * (count % 25 > 0)


@given(st.lists(st.tuples(st.integers(1, 3_000), st.sampled_from("xé日😀")), max_size=60))
def test_a_body_is_within_the_limit_whatever_the_bytes_of_its_characters(
    sizes: list[tuple[int, str]],
) -> None:
    limit = 14_000
    changes = [put(user("1"), json.dumps(char * n, ensure_ascii=False)) for n, char in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BODY_BYTES", limit)
        cut = list(batches(changes))

    assert [change for batch in cut for change in batch] == changes
    assert all(len(body("t" * 255, batch)) <= limit for batch in cut if len(batch) > 1)
    assert all(1 <= len(batch) <= 25 for batch in cut)


def test_sixteen_megabytes_are_one_request_and_one_more_byte_is_another() -> None:
    quarter = "x" * (4 << 20)
    almost = "x" * ((4 << 20) - 1_004)  # 4 commas

    assert sized([quarter, quarter, quarter, almost]) == [[len(quarter)] * 3 + [len(almost)]]
    assert sized([quarter, quarter, quarter, almost + "x"]) == [
        [len(quarter)] * 3,
        [len(almost) + 1],
    ]
    assert sized([quarter] * 4) == [[len(quarter)] * 3, [len(quarter)]]


def test_a_change_that_is_too_large_by_itself_is_sent_alone() -> None:
    assert sized(["a", "x" * (BODY_BYTES + 1), "b"]) == [[1], [BODY_BYTES + 1], [1]]


def test_changes_are_read_only_as_far_as_the_next_batch_needs() -> None:
    changes = iter([put(user(str(n))) for n in range(60)])

    assert len(next(batches(changes))) == 25
    assert len(list(changes)) == 60 - 25


def test_a_body_has_all_changes_and_requests_the_consumed_capacity() -> None:
    batch = [put(user('é"')), delete(user("2"))]

    assert json.loads(body('my"table', batch)) == {
        "RequestItems": {
            'my"table': [
                {"PutRequest": {"Item": {"user_id": {"S": 'é"'}}}},
                {"DeleteRequest": {"Key": {"user_id": {"S": "2"}}}},
            ]
        },
        "ReturnConsumedCapacity": "TOTAL",
    }


def test_a_body_can_request_the_capacity_of_each_index() -> None:
    assert json.loads(body("t", [put(user("1"))], "INDEXES"))["ReturnConsumedCapacity"] == "INDEXES"


def test_unprocessed_changes_are_matched_by_key_in_the_order_returned() -> None:
    batch = [put(user("1")), put(user("2")), delete(user("3"))]
    unprocessed_requests = [
        {"DeleteRequest": {"Key": user("3")}},
        returned({"items": {"L": [{"S": "x"}]}, **user("1")}),
    ]

    assert unprocessed(batch, unprocessed_requests) == [batch[2], batch[0]]
    assert unprocessed(batch, []) == []


@pytest.mark.parametrize(
    ("sent", "normalised"),
    [("1.50", "1.5"), ("100", "1E+2"), ("-0", "0"), ("0.0000001", "1E-7"), ("007", "7")],
)
def test_a_number_that_is_returned_normalised_is_the_same_key(sent: str, normalised: str) -> None:
    batch = [put({"n": {"N": sent}}), put({"n": {"N": "12345678901234567890123456789012345678"}})]

    assert unprocessed(batch, [returned({"n": {"N": normalised}})]) == [batch[0]]


def test_numbers_that_differ_in_the_last_digit_are_different_keys() -> None:
    digits = "1234567890123456789012345678901234567"
    batch = [put({"n": {"N": f"{digits}{last}"}}) for last in (8, 9)]

    assert unprocessed(batch, [returned({"n": {"N": f"{digits}9"}})]) == [batch[1]]


def test_a_composite_key_is_matched_by_both_attributes() -> None:
    batch = [
        put({"user_id": {"S": name}, "day": {"N": day}})
        for name, day in [("a", "1"), ("a", "2"), ("b", "1")]
    ]

    unprocessed_requests = [returned({"day": {"N": "2.0"}, "user_id": {"S": "a"}, "x": {"S": "y"}})]

    assert unprocessed(batch, unprocessed_requests) == [batch[1]]


def test_a_text_and_a_number_of_the_same_digits_are_different_keys() -> None:
    batch = [put({"k": {"S": "1"}}), put({"k": {"N": "1"}}), put({"k": {"B": "1A=="}})]

    assert unprocessed(batch, [returned({"k": {"N": "1"}})]) == [batch[1]]


@pytest.mark.parametrize(
    "entry", [{"user_id": {"S": "2"}}, {"user_id": {"N": "1"}}, {"other": {"S": "1"}}]
)
def test_a_returned_key_that_was_not_sent_is_an_error(entry: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="UnprocessedItems") as error:
        unprocessed([put(user("1"))], [returned(entry)])

    assert (
        str(error.value)
        == f"cannot match UnprocessedItems with the batch: unknown item {json.dumps(entry)}"
    )


def test_the_error_shows_only_the_start_of_a_long_item() -> None:
    entry = {"user_id": {"S": "x" * 500}}
    with pytest.raises(ValueError, match="UnprocessedItems") as error:
        unprocessed([put(user("1"))], [returned(entry)])

    start = '{"user_id": {"S": "' + "x" * 181
    assert str(error.value) == f"cannot match UnprocessedItems with the batch: unknown item {start}"
