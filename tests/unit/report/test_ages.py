from datetime import datetime, timezone

import pytest

from loader.report.ages import ago, duration

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 min"),
        (119, "1 min"),
        (7_199, "119 min"),
        (7_200, "2 h"),
        (172_799, "47 h"),
        (172_800, "2 days"),
    ],
)
def test_a_duration_is_rounded_down_to_one_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-01-02T03:02:04.5Z", "2 min ago"),
        ("2026-01-01T03:04:05+00:00", "24 h ago"),
        ("yesterday", "at an unknown time"),
    ],
)
def test_a_moment_is_shown_by_its_age(moment: str, words: str) -> None:
    assert ago(moment, NOW) == words
