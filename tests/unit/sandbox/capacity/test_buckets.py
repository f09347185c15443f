from __future__ import annotations

from sandbox.capacity.buckets import BURST_SECONDS, NO_BURST_SECONDS, Growth, TokenBucket


def admitted(bucket: TokenBucket, now: float, units: float = 1) -> int:
    """How many operations are admitted at a time, one after the other."""
    count = 0
    while bucket.has_credit(now):
        bucket.take(units)
        count += 1
    return count


def test_without_a_burst_a_bucket_holds_the_units_of_one_second() -> None:
    bucket = TokenBucket(100, NO_BURST_SECONDS, now=0)
    assert [admitted(bucket, now) for now in (0, 0.5, 1.5, 60)] == [100, 50, 100, 100]


def test_with_a_burst_a_bucket_holds_the_units_of_five_minutes() -> None:
    bucket = TokenBucket(100, BURST_SECONDS, now=0)
    assert [admitted(bucket, now) for now in (0, 1, 3_600)] == [30_000, 100, 30_000]


def test_an_operation_may_cost_more_than_a_bucket_holds_and_is_paid_for_later() -> None:
    bucket = TokenBucket(10, NO_BURST_SECONDS, now=0)
    assert [admitted(bucket, now, units=35) for now in (0, 1, 2.5, 2.6)] == [1, 0, 0, 1]


def test_a_raised_rate_flows_in_from_the_change_on() -> None:
    bucket = TokenBucket(10, NO_BURST_SECONDS, now=0)
    admitted(bucket, 0)
    bucket.change(100, NO_BURST_SECONDS, now=1)
    assert admitted(bucket, 1.5) == 10 + 50


def test_a_lowered_rate_cuts_what_was_kept() -> None:
    bucket = TokenBucket(100, BURST_SECONDS, now=0)
    bucket.change(10, NO_BURST_SECONDS, now=0)
    assert admitted(bucket, 0) == 10


def test_a_lowered_rate_keeps_a_debt() -> None:
    bucket = TokenBucket(100, NO_BURST_SECONDS, now=0)
    bucket.take(150)
    bucket.change(10, NO_BURST_SECONDS, now=0)
    assert [admitted(bucket, now) for now in (5, 6)] == [0, 10]


def test_on_demand_capacity_grows_to_twice_the_peak_at_the_end_of_a_period() -> None:
    growth = Growth(4_000, now=0, period=1_800)
    for second in range(1_800):
        assert not growth.add(3_000, now=second)
    assert growth.add(3_000, now=1_800)
    assert growth.ceiling == 6_000


def test_on_demand_capacity_never_falls() -> None:
    growth = Growth(4_000, now=0, period=60)
    assert not any(growth.add(10, now=second) for second in range(200))
    assert growth.ceiling == 4_000


def test_a_spike_of_a_moment_does_not_count_as_a_peak() -> None:
    growth = Growth(1_000, now=0, period=60)
    growth.add(4_000, now=5)
    for second in range(10, 70):
        growth.add(1, now=second)
    assert growth.ceiling == 1_000
