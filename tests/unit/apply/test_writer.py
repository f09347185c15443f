"""Writing a slice against a scripted table."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.dynamodb.answers import Answer, FailureKind
from loader.dynamodb.batches import Change
from loader.storage.slice_outcome import NotSent, SliceOutcome
from tests.support.scripted_table import (
    DENIED,
    INVALID,
    OK,
    THROTTLED,
    TRANSIENT,
    Table,
    change,
    left,
)


def test_a_slice_is_sent_once_in_batches_of_25() -> None:
    table = Table()

    outcome = table.write([change(n) for n in range(60)])

    assert outcome == SliceOutcome(7, acknowledged=60, requests=3, consumed=3.0)
    assert table.requests == [list(range(25)), list(range(25, 50)), list(range(50, 60))]
    assert table.sleeps == []


def test_a_slice_without_changes_sends_nothing() -> None:
    table = Table()

    assert (table.write([]), table.requests) == (SliceOutcome(7), [])


def test_only_unprocessed_items_are_sent_again() -> None:
    table = Table([left(4, 2), left(4)])

    outcome = table.write([change(n) for n in range(6)])

    assert table.requests == [[0, 1, 2, 3, 4, 5], [4, 2], [4]]
    assert outcome == SliceOutcome(
        7, acknowledged=6, requests=3, retries=2, throttled=2, consumed=2.0
    )
    # Something was acknowledged each time, so that each wait is that of a first retry.
    assert [0 <= wait <= 0.1 for wait in table.sleeps] == [True, True]


def test_acknowledged_changes_write_units_and_throttles_are_counted_per_second() -> None:
    table = Table([OK, left(26, 27), THROTTLED, OK])

    outcome = table.write([change(n) for n in range(30)], seconds=10)

    assert outcome.by_second == {100: (28, 1.5, 1), 101: (2, 1.0, 1)}
    assert (outcome.acknowledged, outcome.consumed, outcome.throttled) == (30, 2.5, 2)


def test_a_throttled_request_is_sent_again_after_a_wait() -> None:
    table = Table([THROTTLED, TRANSIENT])

    outcome = table.write([change(1), change(2)], seconds=10)

    assert table.requests == [[1, 2]] * 3
    assert outcome == SliceOutcome(
        7, acknowledged=2, requests=3, retries=2, throttled=1, consumed=1.0
    )
    assert [0 <= wait <= cap for wait, cap in zip(table.sleeps, (0.1, 0.2), strict=True)] == [
        True,
        True,
    ]


def test_when_the_retry_budget_is_used_up_unsent_changes_are_counted_per_partition_and_cause() -> (
    None
):
    table = Table(itertools.repeat(TRANSIENT))
    changes = [change(n, partition=3 if n < 20 else 5) for n in range(60)]

    outcome = table.write(changes, seconds=2)

    cause = "the table acknowledged nothing for 2 s (HTTP 500: oops)"
    assert table.requests == [list(range(25))] * 3
    assert outcome.not_sent == [NotSent(3, 20, cause), NotSent(5, 40, cause)]
    assert table.listed == [("not_sent", 3 if n < 20 else 5, str(n), cause) for n in range(60)]
    assert (outcome.acknowledged, outcome.requests, outcome.rejected) == (0, 3, 0)


def test_a_table_that_returns_everything_unprocessed_uses_up_the_retry_budget() -> None:
    table = Table(itertools.repeat(left(1, 2)))

    outcome = table.write([change(1), change(2)], seconds=0.5)

    cause = "the table acknowledged nothing for 0.5 s (every item came back unprocessed)"
    assert outcome.not_sent == [NotSent(0, 2, cause)]
    assert table.requests == [[1, 2]] * 2


def test_a_slow_table_is_retried_as_long_as_some_items_are_acknowledged() -> None:
    def all_but_one(sent: list[int]) -> Answer:
        return left(*sent[1:])

    table = Table([THROTTLED, all_but_one] * 25)

    outcome = table.write([change(n) for n in range(25)], seconds=3)

    assert (outcome.acknowledged, outcome.not_sent) == (25, [])
    assert outcome.requests == 50


def test_after_a_permanent_error_nothing_more_of_the_slice_is_sent() -> None:
    table = Table([OK, DENIED])

    outcome = table.write([change(n, partition=n // 30) for n in range(75)])

    assert table.requests == [list(range(25)), list(range(25, 50))]
    assert outcome == SliceOutcome(
        7,
        acknowledged=25,
        requests=2,
        consumed=1.0,
        not_sent=[
            NotSent(0, 5, "not you"),
            NotSent(1, 30, "not you"),
            NotSent(2, 15, "not you"),
        ],
    )


def test_a_key_of_kms_that_was_denied_is_named_with_its_policy() -> None:
    cause = "AccessDeniedException: KMS key access denied error: AWSKMSException: The ciphertext …"
    denied = replace(DENIED, cause=cause)

    outcome = Table([denied]).write([change(0)])

    [not_sent] = outcome.not_sent
    assert not_sent.cause == (
        f"the table's KMS key was denied, grant docs/iam/dynamodb-kms.json ({cause})"
    )


def test_an_invalid_item_is_isolated_and_all_others_are_written() -> None:
    def poisoned(sent: list[int]) -> Answer:
        return INVALID if 6 in sent else OK

    table = Table(itertools.repeat(poisoned))

    outcome = table.write([change(n) for n in range(8)])

    assert table.requests == [list(range(8)), [0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [6, 7], [6], [7]]
    assert outcome == SliceOutcome(
        7,
        acknowledged=7,
        requests=7,
        consumed=3.0,
        rejected=1,
        rejects=[('"k":{"N":"6"}', "ValidationException: bad value")],
    )
    assert table.sleeps == []
    assert table.listed == [("rejected", 0, "6", "ValidationException: bad value")]


def test_a_full_item_collection_rejects_its_item_only() -> None:
    full = Answer(
        failure=FailureKind.PERMANENT,
        error="ItemCollectionSizeLimitExceededException",
        cause="ItemCollectionSizeLimitExceededException: full",
    )
    table = Table([full, OK, full])

    outcome = table.write([change(1), change(2)])

    assert table.requests == [[1, 2], [1], [2]]
    assert (outcome.acknowledged, outcome.rejected, outcome.not_sent) == (1, 1, [])


def test_expired_credentials_are_renewed_before_the_next_attempt() -> None:
    expired = Answer(failure=FailureKind.TRANSIENT, error="ExpiredTokenException", cause="expired")
    table = Table([TRANSIENT, expired, expired])

    outcome = table.write([change(1)], seconds=10)

    assert (outcome.acknowledged, outcome.retries, table.renewals) == (1, 3, 2)


def test_the_outcome_keeps_a_hundred_rejects_and_the_list_has_all() -> None:
    table = Table(itertools.repeat(INVALID))

    outcome = table.write([change(n) for n in range(130)])

    assert (outcome.rejected, len(outcome.rejects), len(table.listed)) == (130, 100, 130)


def test_a_batch_of_invalid_items_is_rejected_item_by_item() -> None:
    table = Table(itertools.repeat(INVALID))

    outcome = table.write([change(n) for n in range(3)])

    cause = "ValidationException: bad value"
    assert outcome.rejects == [(f'"k":{{"N":"{n}"}}', cause) for n in range(3)]
    assert (outcome.acknowledged, outcome.not_sent, outcome.requests) == (0, [], 5)


def test_half_of_an_invalid_batch_may_be_throttled_and_unprocessed_too() -> None:
    table = Table([INVALID, THROTTLED, left(1), OK, INVALID, INVALID, OK])

    outcome = table.write([change(n) for n in range(4)])

    assert table.requests == [[0, 1, 2, 3], [0, 1], [0, 1], [1], [2, 3], [2], [3]]
    assert (outcome.acknowledged, outcome.rejects, outcome.not_sent) == (
        3,
        [('"k":{"N":"2"}', "ValidationException: bad value")],
        [],
    )


@pytest.mark.parametrize("requests", [1, 4])
def test_an_exception_while_sending_is_raised_again(requests: int) -> None:
    def broken(sent: list[int]) -> Answer:
        raise RuntimeError("no more memory")

    table = Table(itertools.repeat(broken))

    with pytest.raises(RuntimeError, match="no more memory"):
        table.write([change(n) for n in range(500)], requests=requests)
    assert len(table.requests) <= requests


def test_an_exception_while_reading_the_changes_is_raised_again() -> None:
    def changes() -> Iterator[Change]:
        yield from [change(n) for n in range(26)]
        raise OSError("the file is gone")

    table = Table()

    with pytest.raises(OSError, match="the file is gone"):
        table.write(changes(), requests=3)
    assert table.requests == [list(range(25))]


def test_an_unprocessed_item_that_was_not_sent_fails_the_slice() -> None:
    table = Table([left(99)])

    with pytest.raises(ValueError, match="cannot match UnprocessedItems with the batch"):
        table.write([change(1)])


def test_each_connection_has_a_request_in_flight() -> None:
    table = Table()

    outcome = table.write([change(n) for n in range(150)], requests=3)

    assert (outcome.acknowledged, outcome.requests, table.most_in_flight) == (150, 6, 3)


def test_while_one_batch_sleeps_the_others_are_sent() -> None:
    table = Table([THROTTLED])

    outcome = table.write([change(n) for n in range(75)], seconds=10, requests=2)

    first, second, third = list(range(25)), list(range(25, 50)), list(range(50, 75))
    assert table.requests == [first, second, third, first]
    assert (outcome.acknowledged, outcome.retries) == (75, 1)


kinds = st.sampled_from(["ok", "some", "all", "throttled", "transient", "invalid", "denied"])


@settings(deadline=None, max_examples=100)
@given(
    st.lists(kinds, max_size=30),
    st.integers(0, 110),
    st.sets(st.integers(0, 110), max_size=3),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_every_change_is_acknowledged_rejected_or_not_sent_exactly_once(
    script: list[str], count: int, poison: set[int], seconds: int, requests: int
) -> None:
    stored: list[int] = []

    def answer(kind: str) -> Callable[[list[int]], Answer]:
        def act(sent: list[int]) -> Answer:
            if kind in ("throttled", "transient", "denied"):
                return {"throttled": THROTTLED, "transient": TRANSIENT, "denied": DENIED}[kind]
            if kind == "invalid" or poison & set(sent):
                return INVALID
            returned = {"ok": [], "some": sent[1::2], "all": sent}[kind]
            stored.extend(number for number in sent if number not in returned)
            return left(*returned)

        return act

    steps = itertools.chain(map(answer, script), itertools.repeat(answer("ok")))
    table = Table(steps)
    outcome = table.write([change(n, partition=n // 40) for n in range(count)], seconds, requests)

    rejected = [int(number) for kind, _, number, _ in table.listed if kind == "rejected"]
    missing = set(range(count)) - set(stored) - set(rejected)
    not_sent: Counter[int] = Counter()
    for group in outcome.not_sent:
        not_sent[group.partition] += group.changes
    assert len(stored) == len(set(stored)) == outcome.acknowledged
    by_second = [sum(entry[n] for entry in outcome.by_second.values()) for n in range(3)]
    assert by_second == [outcome.acknowledged, outcome.consumed, outcome.throttled]
    assert sorted(stored + rejected + sorted(missing)) == list(range(count))
    assert not_sent == Counter(n // 40 for n in missing)
    assert outcome.rejected == len(rejected)
    assert sorted((kind, p, int(number)) for kind, p, number, _ in table.listed) == sorted(
        [
            *(("rejected", n // 40, n) for n in rejected),
            *(("not_sent", n // 40, n) for n in missing),
        ]
    )
