"""A ratio is computed within each pair; the result is the median over the pairs."""

import pytest

from benchmarks.measurements import Measurement, medians, pairs, ratios, write_cpu


def load(case: str, pair: int, cpu: float) -> Measurement:
    return Measurement(case, pair, rows=1_000, items=100, wall=cpu / 2, cpu=cpu)


def test_a_ratio_is_the_median_of_the_ratios_of_the_pairs() -> None:
    # The ratio of the medians would be 2 / 20: the second pair ran on a slow machine.
    runs = [("ours", 0, 1), ("usual", 0, 10), ("ours", 1, 8), ("usual", 1, 20)]
    runs += [("ours", 2, 2), ("usual", 2, 40)]
    values = ratios([load(*run) for run in runs])
    assert values["cpu"] == pytest.approx(0.1)
    assert values["wall"] == pytest.approx(0.1)


def test_a_ratio_without_its_cases_is_none() -> None:
    assert set(ratios([load("ours", 0, 1)]).values()) == {None}


def test_a_pair_without_a_case_is_ignored() -> None:
    runs = [load("ours", 0, 1), load("usual", 0, 4), load("ours", 1, 100)]
    assert ratios(runs)["cpu"] == pytest.approx(0.25)


def test_write_cpu_excludes_start_up() -> None:
    pair = {
        "apply": Measurement("apply", 0, 0, items=501_000, cpu=15.0),
        "apply_start": Measurement("apply_start", 0, 0, items=1_000, cpu=10.0),
    }
    assert write_cpu(pair) == pytest.approx(1.0)


def test_net_ratios_exclude_start_up() -> None:
    runs = [load("ours", 0, 12), load("ours_start", 0, 10)]
    runs += [load("usual", 0, 28), load("usual_start", 0, 8)]

    values = ratios(runs)

    assert (values["net_cpu"], values["net_wall"]) == (pytest.approx(0.1), pytest.approx(0.1))


def test_growth_is_per_row() -> None:
    grown = Measurement("grown", 0, rows=4_000, items=1, cpu=8.0)
    base = Measurement("base", 0, rows=1_000, items=1, cpu=2.0)
    assert ratios([grown, base])["growth"] == pytest.approx(1.0)


def test_a_median_ignores_runs_without_the_value() -> None:
    runs = [load("ours", n, cpu) for n, cpu in enumerate((3.0, 1.0, 2.0))]
    assert medians(runs, "cpu") == {"ours": 2.0}
    assert medians(runs, "plan_seconds") == {}


def test_pairs_are_sorted_by_number() -> None:
    runs = [load("ours", 1, 1), load("ours", 0, 2)]
    assert [pair["ours"].cpu for pair in pairs(runs)] == [2, 1]


def test_disturbance_is_measured_in_cores() -> None:
    measurement = Measurement("ours", 0, 1, 1, wall=10.0, others_cpu=5.0)
    assert measurement.disturbed == 0.5


def test_a_nightly_load_is_compared_with_its_changes_a_full_load_and_the_scripts() -> None:
    def case(name: str, units: int, requests: int, cpu: float) -> Measurement:
        measurement = load(name, 0, cpu)
        measurement.units, measurement.requests = units, requests
        return measurement

    values = ratios(
        [
            case("full", 1_000, 40, 20),
            case("nightly", 20, 2, 10),
            case("changes", 20, 1, 0),
            case("usual_nightly", 1_000, 50, 100),
            case("tuned_nightly", 1_000, 80, 40),
        ]
    )

    assert {name: value for name, value in values.items() if value is not None} == {
        "units": 1.0, "requests": 2.0,
        "units_full": 0.02, "requests_full": 0.05, "cpu_full": 0.5, "wall_full": 0.5,
        "units_usual": 0.02, "requests_usual": 0.04, "cpu_usual": 0.1, "wall_usual": 0.1,
        "units_tuned": 0.02, "requests_tuned": 0.025, "cpu_tuned": 0.25, "wall_tuned": 0.25,
        "full_cpu_usual": 0.2, "full_wall_usual": 0.2,
        "full_cpu_tuned": 0.5, "full_wall_tuned": 0.5,
    }  # fmt: skip
