from __future__ import annotations

from collections import Counter

import pytest

from sandbox.capacity import measure
from sandbox.capacity.log import Allowed, Record, Use
from sandbox.capacity.measure import Figures, Step


def use(at: float, units: float, *, throttled: int = 0, who: str = "loader") -> Use:
    """What one slice of 100 ms used, in ten requests."""
    return Use(at, "users", "Write", who, units, 10, throttled, Counter(), at, at + 0.1)


def steady(begin: float, end: float, units_per_second: float, who: str = "loader") -> list[Use]:
    slices = range(round(begin * 10), round(end * 10))
    return [use(number / 10, units_per_second / 10, who=who) for number in slices]


ALLOWED = [Step(0.0, 100.0)]


def test_the_used_share_is_of_what_was_allowed_between_the_first_and_the_last_write() -> None:
    idle_before_and_after = [Use(0.0, "users", "Write", "loader", requests=1, throttled=1)]
    uses = [*idle_before_and_after, *steady(10, 20, 97)]
    assert measure.used_share(uses, ALLOWED) == pytest.approx(0.97)


def test_the_used_share_follows_a_changed_limit() -> None:
    uses = [*steady(0, 10, 100), *steady(10, 20, 50)]
    assert measure.used_share(uses, [Step(0, 100), Step(10, 50)]) == pytest.approx(1.0)


def test_the_worst_share_is_of_the_fullest_five_seconds() -> None:
    uses = [*steady(0, 8, 50), *steady(8, 11, 200), *steady(11, 20, 50)]
    assert measure.worst_share(uses, ALLOWED) == pytest.approx((3 * 200 + 2 * 50) / 500)


def test_the_worst_share_counts_a_lowered_limit_within_the_window() -> None:
    uses = steady(0, 10, 100)
    assert measure.worst_share(uses, [Step(0, 100), Step(5, 50)]) == pytest.approx(2.0)


def test_the_throttled_share_is_of_requests() -> None:
    assert measure.throttled_share([use(0, 10, throttled=1), use(1, 0, throttled=4)]) == 0.25


def test_without_writes_all_figures_are_zero() -> None:
    record = Record((), (Allowed(0, "users", "Write", 100.0),))
    assert measure.of(record, "users") == Figures(0.0, 0.0, 0.0)


@pytest.mark.parametrize(("slow", "seconds"), [(0.0, 0.0), (2.5, 2.5)])
def test_a_change_is_followed_when_a_second_of_use_comes_near_it(
    slow: float, seconds: float
) -> None:
    uses = [*steady(0, 10 + slow, 100), *steady(10 + slow, 20, 49)]
    assert measure.seconds_to_follow(uses, Step(10, 50), until=20) == seconds


def test_a_change_that_is_never_followed_has_no_time() -> None:
    assert measure.seconds_to_follow(steady(0, 20, 100), Step(10, 50), until=20) is None


def test_clients_are_told_apart() -> None:
    uses = [*steady(0, 10, 40), *steady(0, 10, 50, who="live-traffic")]
    record = Record(tuple(uses), (Allowed(0, "users", "Write", 100.0),))
    both = measure.of(record, "users")
    loader = measure.of(record, "users", allowed=50, is_counted=lambda who: who == "loader")
    assert both == Figures(pytest.approx(0.9), 0.0, pytest.approx(0.9))
    assert loader == Figures(pytest.approx(0.8), 0.0, pytest.approx(0.8))


def test_a_share_needs_a_limit() -> None:
    record = Record((), (Allowed(0, "users", "Write", None),))
    with pytest.raises(ValueError, match="users must have a limit for a share of it"):
        measure.of(record, "users")
