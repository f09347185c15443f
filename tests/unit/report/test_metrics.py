from dataclasses import asdict, replace

from hypothesis import given
from hypothesis import strategies as st

from loader.dbt.gate import Gate
from loader.plan.partition_result import PartitionResult
from loader.report.metrics import (
    POINTS,
    Limit,
    OverTime,
    Partition,
    Point,
    Query,
    apply_over_time,
    over_time,
    partitions,
    plan_facts,
    queries,
)
from loader.storage.slice_outcome import SliceOutcome
from loader.warehouse import ranges
from tests.support.example_plan import KEYLESS, partition, planned

BEGAN = 1_000.9


def test_the_same_second_of_several_slices_is_added_up_and_gaps_are_zero() -> None:
    merged = over_time([{1_000: (5, 5.5, 0), 1_003: (2, 2.0, 1)}, {1_003: (1, 0.5, 1)}], BEGAN)

    assert merged == OverTime(1, [Point(0, 5, 5.5, 0), Point(1), Point(2), Point(3, 3, 2.5, 2)])


def test_a_second_before_the_start_counts_as_the_first() -> None:
    assert over_time([{990: (5, 5.0, 0), 1_001: (1, 1.0, 0)}], BEGAN) == OverTime(
        1, [Point(0, 5, 5.0, 0), Point(1, 1, 1.0, 0)]
    )
    assert over_time([{990: (5, 5.0, 0)}], BEGAN) == OverTime(1, [Point(0, 5, 5.0, 0)])


def test_a_long_apply_is_shown_in_wider_points() -> None:
    merged = over_time([{1_000 + second: (1, 1.0, 0) for second in range(7)}], BEGAN, most=3)

    assert merged == OverTime(3, [Point(0, 3, 3.0), Point(3, 3, 3.0), Point(6, 1, 1.0)])


def test_an_apply_that_sent_nothing_has_no_points() -> None:
    assert over_time([{}, {}], BEGAN) == OverTime(1, [])


def outcome(*seconds: tuple[int, dict[str, float]]) -> SliceOutcome:
    by_second = {second: (1, sum(units.values()), 0) for second, units in seconds}
    return SliceOutcome(0, by_second=by_second, units_by_second=dict(seconds))


def test_the_table_and_each_index_with_a_limit_has_its_units_and_what_it_was_allowed() -> None:
    outcomes = [
        outcome((1_001, {"": 30.0, "by_item": 10.0, "by_day": 5.0}), (1_003, {"": 20.0})),
        outcome((1_001, {"": 10.0, "by_item": 2.0})),
    ]
    allowed = [
        (1_000.9, {"": 100.0, "by_item": 50.0}),
        (1_002.25, {"": 60.0, "by_item": 50.0}),
    ]

    assert apply_over_time(outcomes, BEGAN, allowed).limits == [
        Limit(None, [0.0, 40.0, 0.0, 20.0], [100.0, 100.0, 70.0, 60.0]),
        Limit("by_item", [0.0, 12.0, 0.0, 0.0], [50.0] * 4),
    ]


def test_before_the_first_limit_nothing_is_known_and_a_later_one_does_not_matter() -> None:
    """A run that was resumed has points of its first apply."""
    outcomes = [outcome((1_000, {"": 1.0}), (1_003, {"": 1.0}))]
    allowed = [(1_002.5, {"": 100.0}), (1_009.0, {"": 7.0})]

    assert apply_over_time(outcomes, BEGAN, allowed).limits == [
        Limit(None, [1.0, 0.0, 0.0, 1.0], [None, None, 100.0, 100.0])
    ]


def test_an_apply_without_points_or_without_a_limit_has_no_limits() -> None:
    assert apply_over_time([], BEGAN, [(1_000.9, {"": 100.0})]) == OverTime()
    assert apply_over_time([outcome((1_000, {"": 1.0}))], BEGAN, ()).limits == []


@given(
    st.lists(st.tuples(st.floats(900, 1_500), st.floats(1, 1_000)), min_size=1).map(sorted),
    st.integers(1_000, 1_400),
)
def test_what_was_allowed_is_between_the_least_and_the_most_that_was(
    changes: list[tuple[float, float]], last: int
) -> None:
    allowed = [(at, {"": rate}) for at, rate in changes]
    over_time = apply_over_time([outcome((last, {"": 1.0}))], BEGAN, allowed)

    [limit] = over_time.limits if over_time.points else [Limit(None, [], [])]
    rates = [rate for _, rate in changes]
    assert len(limit.allowed) == len(limit.write_units) == len(over_time.points)
    assert all(
        mean is None or min(rates) - 0.001 <= mean <= max(rates) + 0.001 for mean in limit.allowed
    )


seconds = st.dictionaries(
    st.integers(900, 100_000),
    st.tuples(st.integers(0, 99), st.integers(0, 99).map(float), st.integers(0, 9)),
)


@given(st.lists(seconds, max_size=4))
def test_no_item_is_lost_on_the_time_axis_and_it_stays_short(
    slices: list[dict[int, tuple[int, float, int]]],
) -> None:
    points = over_time(slices, BEGAN).points

    totals = [[sum(entry[n] for seconds in slices for entry in seconds.values())] for n in range(3)]
    assert [
        [sum(p.items for p in points)],
        [sum(p.write_units for p in points)],
        [sum(p.throttled for p in points)],
    ] == totals
    assert len(points) <= POINTS


def test_partitions_are_in_order_with_their_rows_without_a_key() -> None:
    none = PartitionResult(None, rows=4, keyless_rows=4)
    outside = PartitionResult(31, rows=1, keyless_rows=1)
    plan = planned(partition(5, 10, rejected=1), KEYLESS, partition(0, 2), none, outside)

    assert partitions(plan) == [
        Partition(None, None, 4),
        Partition(0, 0, 8, 2, 1_800, 2, 0.25),
        Partition(5, 2, 33, 11, 9_000, 10, 0.25),
        Partition(31, None, 1),
    ]
    assert queries(plan) == [Query(0, 0, 1, 8, 1.5, 1.75), Query(2, 4, 5, 33, 0.0, 0.25)]


@given(st.integers(1, 300), st.integers(1, 60))
def test_a_query_lists_the_partitions_that_its_range_reads(count: int, most: int) -> None:
    dealt = ranges.ranges(count, most)
    partition_results = [PartitionResult(number, rows=1) for number in range(count)]
    plan = replace(planned(*partition_results), partitions=count, queries=dealt.queries)

    assert [(q.first_partition, q.last_partition) for q in queries(plan)] == [
        (dealt.ids(query)[0], dealt.ids(query)[-1]) for query in range(dealt.queries)
    ]


def test_the_facts_of_a_plan_are_its_gate_and_its_estimate_if_it_has_one() -> None:
    plan = planned(partition(0, 1))
    gate = Gate(skipped=True)

    assert plan_facts(replace(plan, dbt_gate=gate)) == {"dbt_gate": asdict(gate)}
