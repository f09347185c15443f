"""The limit in simulated clusters: kept, used and shared. Deterministic: seeded, no real time."""

import pytest

from loader.pace.allowance import Allowance
from loader.pace.ceiling import Ceiling
from loader.pace.report import TABLE
from tests.support.pace_simulation import Cluster, Table, fixed, jain

ENDLESS = 1e9


def test_500_tasks_use_the_limit_keep_it_and_share_it_fairly() -> None:
    limit = 10_000
    cluster = Cluster(Allowance(fixed(limit), 0.0), Table(), [ENDLESS] * 500, slots=500)
    slow = cluster.tasks[::10]
    for task in slow:  # each writes a batch in about three seconds, less than its share
        task.connections, task.latency = 1, 3.0
    cluster.run(until=12)
    assert cluster.table.rate(1, 12) >= 0.97 * limit
    assert cluster.table.worst(5, 12) <= 1.05 * limit
    others = [task.written for task in cluster.tasks if task not in slow]
    assert jain(others) >= 0.95
    # What the slow tasks do not use has moved to the others.
    assert sum(others) / len(others) > 1.03 * 12 * limit / 500
    assert cluster.exchanges / 12 < 2_500


def test_the_shares_of_a_lost_executor_and_of_a_restarted_broker_are_not_lost() -> None:
    limit = 5_000
    cluster = Cluster(Allowance(fixed(limit), 0.0), Table(), [ENDLESS] * 200, slots=200)
    cluster.run(until=5)
    cluster.kill(cluster.tasks[:50])
    cluster.run(until=10)
    assert cluster.table.rate(5, 10) >= 0.97 * limit
    cluster.restart_broker(seconds=1)
    cluster.run(until=20)
    assert cluster.table.rate(12, 20) >= 0.97 * limit
    assert cluster.table.worst(5, 20) <= 1.05 * limit


def test_a_broker_that_knows_nothing_of_the_one_before_keeps_the_limit() -> None:
    limit = 5_000
    cluster = Cluster(Allowance(fixed(limit), 0.0), Table(), [ENDLESS] * 50, slots=50)
    cluster.run(until=5)
    cluster.restart_broker(seconds=0.1)
    cluster.allowance = Allowance(fixed(limit), 5.1)
    cluster.run(until=12)
    assert cluster.table.worst(5, 12) <= 1.05 * limit
    assert cluster.table.rate(6, 12) >= 0.97 * limit


def test_a_new_limit_is_followed_within_a_second_or_two() -> None:
    cluster = Cluster(Allowance(fixed(2_000), 0.0), Table(), [ENDLESS] * 40, slots=40)
    cluster.run(until=5)
    cluster.allowance.set_limits(fixed(4_000), cluster.now)
    cluster.run(until=10)
    cluster.allowance.set_limits(fixed(500), cluster.now)
    cluster.run(until=16)
    assert cluster.table.rate(2, 5) == pytest.approx(2_000, rel=0.03)
    assert cluster.table.rate(6, 10) == pytest.approx(4_000, rel=0.03)
    assert cluster.table.rate(11, 16) == pytest.approx(500, rel=0.04)


@pytest.mark.parametrize(
    ("limit", "slots", "works"),
    [
        pytest.param(2_000, 4, [1_000] * 30, id="30 equal slices in 4 slots"),
        pytest.param(2_000, 4, [4_000 / (n + 1) for n in range(30)], id="Zipf"),
        pytest.param(500, 8, [1_000] * 8, id="a request is 5 % of a second"),
        pytest.param(40_000, 4, [100_000] * 8, id="40,000"),
    ],
)
def test_the_limit_is_used_from_the_first_to_the_last_write(
    limit: int, slots: int, works: list[float]
) -> None:
    cluster = Cluster(Allowance(fixed(limit), 0.0), Table(), works, slots, connections=16)
    cluster.run()
    end = max(task.ended or 0.0 for task in cluster.tasks)
    assert sum(task.written for task in cluster.tasks) == pytest.approx(sum(works))
    assert sum(works) / (end - 0.2) >= 0.97 * limit
    assert cluster.table.worst(5, end) <= 1.05 * limit


def test_the_last_task_uses_the_shares_of_all_that_have_ended() -> None:
    works = [2_500] * 7 + [2_500 + 10_000]
    cluster = Cluster(Allowance(fixed(2_000), 0.0), Table(), works, slots=8, connections=16)
    cluster.run()
    *_, alone, end = sorted(task.ended or 0.0 for task in cluster.tasks)
    assert end - alone > 4.5
    assert cluster.table.rate(alone, end - 0.2) >= 0.97 * 2_000


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_what_was_consumed_counts_and_not_what_was_estimated(factor: float) -> None:
    allowance = Allowance(fixed(2_000), 0.0)
    cluster = Cluster(allowance, Table(), [ENDLESS] * 8, slots=8, connections=16, factor=factor)
    cluster.run(until=12)
    assert cluster.table.rate(1, 12) >= 0.97 * 2_000
    assert cluster.table.worst(5, 12) <= 1.05 * 2_000


def test_the_tightest_index_decides() -> None:
    allowance = Allowance(fixed(2_000, by_item=500), 0.0)
    cluster = Cluster(allowance, Table(index=0.5), [ENDLESS] * 8, slots=8, connections=16)
    cluster.run(until=12)
    assert cluster.table.rate(1, 12) * 0.5 >= 0.97 * 500
    assert cluster.table.worst(5, 12) * 0.5 <= 1.05 * 500


@pytest.mark.parametrize(("start", "slots"), [(1_000, 8), (4_000, 8), (4_000, 100)])
def test_an_unknown_ceiling_is_found_within_20_seconds_with_little_throttling(
    start: int, slots: int
) -> None:
    table = Table(accepts=lambda _: 3_000)
    allowance = Allowance({TABLE: Ceiling(start)}, 0.0)
    cluster = Cluster(allowance, table, [ENDLESS] * slots, slots)
    cluster.run(until=20)
    requests, throttled = table.requests, table.throttled
    cluster.run(until=40)
    assert table.rate(20, 40) >= 0.95 * 3_000
    assert table.throttled - throttled <= 0.02 * (table.requests - requests)


def test_a_table_that_accepts_less_than_the_limit_is_slowed_to_what_it_accepts() -> None:
    table = Table(accepts=lambda now: 2_000 if now < 5 else 1_000)
    cluster = Cluster(Allowance(fixed(2_000), 0.0), table, [ENDLESS] * 8, slots=8)
    cluster.run(until=10)
    requests, throttled = table.requests, table.throttled
    cluster.run(until=30)
    assert cluster.table.rate(10, 30) >= 0.95 * 1_000
    assert table.throttled - throttled <= 0.03 * (table.requests - requests)
