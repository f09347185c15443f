from datetime import datetime, timedelta, timezone

import pytest

from loader.utc_time import moment, utc_text

NOW = datetime(2026, 11, 27, 6, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-11-27T06:00:00Z", NOW),
        ("2026-11-27T06:00:00", NOW),
        ("2026-11-27T07:00:00+01:00", NOW),
        ("2026-11-27T06:00:00.6Z", NOW + timedelta(milliseconds=600)),
        ("", None),
        ("yesterday", None),
    ],
)
def test_a_time_is_read_as_dbt_writes_it(text: str, read: datetime | None) -> None:
    assert moment(text) == read


def test_a_time_is_shown_in_whole_seconds_of_utc() -> None:
    assert utc_text(NOW + timedelta(milliseconds=600)) == "2026-11-27T06:00:00Z"
