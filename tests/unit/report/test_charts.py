import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.report.charts import MOST_BARS, Bar, Stretch, columns, merge, rows, scale_end


def test_horizontal_bars_are_as_long_as_their_values() -> None:
    bars = rows([Bar("plan", 4.0), Bar("apply", 1.0), Bar("start", 0.0)])

    assert [bar.width for bar in bars] == [66.0, 16.5, 0.3]
    assert rows([Bar("plan", 0.0)])[0].width == 0.3


def test_columns_stand_side_by_side_on_one_scale_with_their_mean() -> None:
    bars = [Bar("partition 0", 2.0), Bar("partition 1", 8.0)]

    chart = columns("rows", bars, ("0", "1"), str, skew=True)

    assert chart.words == "at most 8.0 in partition 1: 1.60 × the mean of 5.0"
    assert (chart.scale, chart.mean, chart.first, chart.last, chart.merged) == (
        "8.0", 37.5, "0", "1", 1,
    )  # fmt: skip
    assert chart.bars == [
        Bar("partition 0", 2.0, "2.0", x=3.0, y=75.0, width=44.0, height=25.0),
        Bar("partition 1", 8.0, "8.0", x=53.0, y=0.0, width=44.0, height=100.0, most=True),
    ]


def test_no_column_is_marked_where_skew_does_not_matter() -> None:
    chart = columns("items/s", [Bar("second 0", 1.0), Bar("second 1", 3.0)], ("", ""), str)

    assert chart.words == "at most 3.0 in second 1, 2.0 on average"
    assert ([bar.most for bar in chart.bars], chart.mean) == ([False, False], None)


def test_a_scale_is_round_in_multiples_of_its_unit() -> None:
    assert columns("", [Bar("", 1_500.0)], ("", ""), str, unit=1_024).scale == "1536.0"


def test_a_limit_is_a_line_over_the_columns_with_steps_and_gaps() -> None:
    bars = [Bar(f"second {n}", value) for n, value in enumerate((1.0, 8.0, 4.0, 2.0))]

    chart = columns("WCU/s", bars, ("", ""), str, limit=[None, 10.0, 10.0, 5.0])

    assert chart.words == "at most 8.0 in second 1, 3.75 on average; allowed 5.0 to 10.0"
    assert (chart.scale, chart.bars[1].height) == ("10.0", 80.0)
    assert chart.limit == [Stretch(25.0, 75.0, 0.0), Stretch(75.0, 100.0, 50.0, 0.0)]


def test_a_limit_far_above_the_columns_is_in_words_only() -> None:
    chart = columns("WCU/s", [Bar("second 0", 8.0)], ("", ""), str, limit=[40_000.0])

    assert chart.words == (
        "at most 8.0 in second 0, 8.0 on average; allowed 40000.0, which is above the scale"
    )
    assert (chart.scale, chart.limit) == ("8.0", ())


@given(
    st.lists(
        st.tuples(st.floats(0, 1e6), st.none() | st.floats(1e-3, 1e6)), min_size=1, max_size=120
    )
)
def test_no_limit_leaves_the_plot(values: list[tuple[float, float | None]]) -> None:
    bars = [Bar("", value) for value, _ in values]
    chart = columns("", bars, ("", ""), str, limit=[limit for _, limit in values])

    for piece in chart.limit:
        assert 0 <= piece.x1 < piece.x2 <= 100.01
        assert -0.001 <= piece.y <= 100


@given(st.lists(st.just(0.0) | st.floats(1e-6, 1e12), min_size=1, max_size=500))
def test_no_column_leaves_the_plot(values: list[float]) -> None:
    bars = columns("", [Bar("", value) for value in values], ("", ""), str, skew=True).bars

    assert all(bar.x >= 0 and bar.x + bar.width <= 100.01 for bar in bars)
    assert all(bar.y >= 0 and bar.y + bar.height == pytest.approx(100, abs=0.011) for bar in bars)


@pytest.mark.parametrize(
    ("value", "end"), [(0, 1), (1, 1), (1.2, 1.5), (163, 200), (19_623, 20_000), (0.03, 0.03)]
)
def test_a_scale_ends_at_a_round_number(value: float, end: float) -> None:
    assert scale_end(value) == pytest.approx(end)


@given(st.floats(1e-6, 1e15))
def test_a_scale_holds_its_value_and_is_not_much_longer(value: float) -> None:
    assert value <= scale_end(value) <= 2.5 * value


@given(st.lists(st.integers(0, 999), max_size=900))
def test_neighbours_are_merged_into_the_largest_of_them(values: list[int]) -> None:
    bars = [Bar(str(number), value) for number, value in enumerate(values)]

    shown, width = merge(bars)

    assert len(shown) <= MOST_BARS
    assert [bar.value for bar in shown] == [
        max(values[start : start + width]) for start in range(0, len(values), width)
    ]
    assert set(shown) <= set(bars)
