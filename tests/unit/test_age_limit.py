from datetime import datetime, timedelta, timezone

import pytest

from loader.age_limit import AgeLimit, age_limit

NOW = datetime(2026, 11, 27, 6, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5_400), ("24h", 86_400), (" 7d ", 604_800), ("1m", 60)]
)
def test_an_age_is_a_number_of_minutes_hours_or_days(text: str, seconds: int) -> None:
    limit = age_limit(text)

    assert str(limit) == text.strip()
    assert limit.allows(NOW - timedelta(seconds=seconds), NOW)
    assert not limit.allows(NOW - timedelta(seconds=seconds + 1), NOW)


@pytest.mark.parametrize("text", ["", "24", "0h", "1.5h", "-1h", "24 h", "24H", "1w", "1234567m"])
def test_another_text_is_no_age(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be minutes, hours or days as 90m, 24h or 7d, got"):
        age_limit(text)


def test_a_time_in_the_future_is_not_too_old() -> None:
    assert AgeLimit(1, "m").allows(NOW + timedelta(days=1), NOW)
