import pytest

from loader.report.formats import count, rate, seconds, size


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (count(1_234_567), "1,234,567"),
        (seconds(0), "0.0 s"),
        (seconds(99.94), "99.9 s"),
        (seconds(125), "2 min 05 s"),
        (seconds(7_620), "2 h 07 min"),
        (size(0), "0 B"),
        (size(900), "900 B"),
        (size(1_536), "1.5 KB"),
        (size(3 << 20), "3 MB"),
        (rate(0), "0"),
        (rate(0.25), "0.2"),
        (rate(1_234.5), "1,234"),
    ],
)
def test_numbers_are_short_and_have_units(shown: str, text: str) -> None:
    assert shown == text
