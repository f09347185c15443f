"""The name of a run."""

import re
from datetime import datetime, timezone

from loader.checks import run_id


def test_two_runs_of_one_millisecond_have_different_names() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 6_789, timezone.utc)

    names = {run_id(moment) for _ in range(10)}

    assert all(re.fullmatch("2026-01-02T03-04-05-006Z-[0-9a-f]{4}", name) for name in names)
    assert len(names) > 1
