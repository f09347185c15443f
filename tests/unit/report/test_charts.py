import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.report.charts import BARS, Bar, columns_chart, merged, rows_chart, scale_end


def test_bars_are_as_long_as_their_values_and_the_chart_says_them_in_words() -> None:
    chart = rows_chart("Seconds", [Bar("plan", 4.0), Bar("apply", 1.0)], ["4 s", "1 s"])

    assert chart == (
        '<svg class="chart" width="100%" height="60" role="img" '
        'aria-label="Seconds. plan 4 s, apply 1 s">'
        '<text class="name" x="0" y="20">plan</text>'
        '<rect class="bar" x="16%" y="6" width="66.00%" height="18" rx="2"/>'
        '<text class="value" x="82.00%" y="20" dx="8">4 s</text>'
        '<text class="name" x="0" y="50">apply</text>'
        '<rect class="bar" x="16%" y="36" width="16.50%" height="18" rx="2"/>'
        '<text class="value" x="32.50%" y="50" dx="8">1 s</text></svg>'
    )


def test_columns_stand_side_by_side_on_one_scale_with_their_mean() -> None:
    bars = [Bar("partition 0", 2.0), Bar("partition 1", 8.0)]

    chart = columns_chart("rows", "at most 8", bars, ("0", "1"), str, mean=5.0)

    assert 'aria-label="rows. at most 8"' in chart
    assert (
        '<rect class="bar" x="3.000%" y="75.00%" width="44.000%" height="25.00%">'
        "<title>partition 0: 2.0</title></rect>"
        '<rect class="bar most" x="53.000%" y="0.00%" width="44.000%" height="100.00%">'
        "<title>partition 1: 8.0</title></rect>"
        '<line class="mean" x1="0" x2="100%" y1="37.50%" y2="37.50%"/>'
    ) in chart


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

    shown, width = merged(bars)

    assert len(shown) <= BARS
    assert [bar.value for bar in shown] == [
        max(values[start : start + width]) for start in range(0, len(values), width)
    ]
    assert set(shown) <= set(bars)
