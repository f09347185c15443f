from decimal import Decimal

import pytest

from loader.change_limit import ChangeLimit, change_limit


@pytest.mark.parametrize(
    ("limit", "changes", "keys", "allowed", "most"),
    [
        ("20%", 1, 5, True, 1),
        ("20%", 2, 9, False, 1),
        ("10%", 428, 4_286, True, 428),
        ("10%", 429, 4_286, False, 428),
        ("0.1%", 3, 3_000, True, 3),
        ("33.333333%", 1, 3, False, 0),
        ("0%", 0, 0, True, 0),
        ("0%", 1, 10, False, 0),
        ("100%", 10, 10, True, 10),
        ("500", 500, 1_000_000, True, 500),
        ("500", 501, 1_000_000, False, 500),
        ("10%,500", 500, 4_286, False, 428),
        ("10%,500", 500, 1_000_000, True, 500),
        ("10%,500", 501, 1_000_000, False, 500),
    ],
)
def test_a_share_is_compared_exactly_and_both_limits_hold(
    limit: str, changes: int, keys: int, allowed: bool, most: int
) -> None:
    parsed = change_limit(limit)

    assert (parsed.allows(changes, keys), parsed.most(keys)) == (allowed, most)


@pytest.mark.parametrize("text", ["10%", "0.5%", "500", "10%,500", "0", "100%"])
def test_a_limit_is_printed_as_it_is_given(text: str) -> None:
    assert str(change_limit(text)) == text


def test_a_limit_of_yaml_is_that_of_the_command_line() -> None:
    both = ChangeLimit(Decimal(10), 500)

    assert [change_limit(value) for value in (["10%", 500], "500,10 %", ("10.0%", "500"))] == [
        both
    ] * 3
