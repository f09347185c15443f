from fractions import Fraction
from math import comb

import pytest

from loader.verify.error_bound import at_most, upper_bound


def exact(found: int, sample: int, share: Fraction) -> float:
    terms = (comb(sample, n) * share**n * (1 - share) ** (sample - n) for n in range(found + 1))
    return float(sum(terms))


@pytest.mark.parametrize(
    ("found", "sample", "share"),
    [
        (0, 1, Fraction(1, 2)),
        (0, 200, Fraction(1, 50)),
        (3, 50, Fraction(1, 5)),
        (40, 90, Fraction(1, 2)),
    ],
)
def test_the_probability_is_that_of_the_binomial_distribution(
    found: int, sample: int, share: Fraction
) -> None:
    assert at_most(found, sample, float(share)) == pytest.approx(exact(found, sample, share))


def test_a_sample_without_any_gives_the_rule_of_three() -> None:
    assert upper_bound(0, 1_000) == pytest.approx(1 - 0.05 ** (1 / 1_000))
    assert upper_bound(0, 100_000) == pytest.approx(3 / 100_000, rel=0.01)


@pytest.mark.parametrize(("found", "sample"), [(0, 20), (1, 100), (5, 100), (50, 100), (99, 100)])
def test_a_larger_share_than_the_bound_would_be_seen_with_95_percent_confidence(
    found: int, sample: int
) -> None:
    bound = Fraction(upper_bound(found, sample))

    assert exact(found, sample, bound) == pytest.approx(0.05)


@pytest.mark.parametrize(("found", "sample"), [(0, 0), (1, 1), (100, 100)])
def test_a_sample_that_is_all_affected_says_nothing_of_the_rest(found: int, sample: int) -> None:
    assert upper_bound(found, sample) == 1.0


def test_the_bound_of_a_large_sample_is_found_without_a_sum_over_all_of_it() -> None:
    assert upper_bound(250_000, 10_000_000) == pytest.approx(0.025081, rel=1e-4)
