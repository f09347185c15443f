import pytest

from loader.dynamodb.retries import RetryBudget, full_jitter


def test_the_wait_is_random_up_to_a_cap_that_doubles_to_five_seconds() -> None:
    bounds = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return high / 4

    waits = [full_jitter(retry, uniform) for retry in (1, 2, 3, 4, 5, 6, 7, 8, 9_999)]

    caps = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert bounds == [(0.0, cap) for cap in caps]
    assert waits == [cap / 4 for cap in caps]


def test_waits_differ_from_one_another() -> None:
    waits = {full_jitter(7) for _ in range(20)}

    assert len(waits) > 1
    assert all(0 <= wait <= 5 for wait in waits)


def test_a_budget_is_used_up_after_its_seconds_of_failures_only() -> None:
    now = iter([100.0, 105.0, 109.9, 110.0, 111.0])
    retry_budget = RetryBudget(10.0, clock=lambda: next(now))

    assert [retry_budget.failed() for _ in range(5)] == [False, False, False, True, True]


def test_any_success_restores_the_whole_budget() -> None:
    now = iter([100.0, 109.0, 200.0, 209.0, 210.0])
    retry_budget = RetryBudget(10.0, clock=lambda: next(now))

    first = [retry_budget.failed(), retry_budget.failed()]
    retry_budget.succeeded()

    assert (first, [retry_budget.failed() for _ in range(3)]) == (
        [False, False],
        [False, False, True],
    )


@pytest.mark.parametrize("quiet", [0.0, 1e6])
def test_time_before_the_first_failure_does_not_count(quiet: float) -> None:
    now = iter([quiet, quiet + 1])
    retry_budget = RetryBudget(10.0, clock=lambda: next(now))

    assert [retry_budget.failed(), retry_budget.failed()] == [False, False]
