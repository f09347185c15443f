"""The end of an apply."""

from pathlib import Path
from typing import Any

import pytest

from loader.errors import ApplyFailed, LoaderError
from loader.publish import PlannedApply
from loader.report.timing import Stopwatch
from loader.settings import Settings
from loader.storage.location import Location
from loader.storage.lock import RunLock
from tests.support.example_plan import planned


@pytest.mark.parametrize("paused", [0.0, 61.0])
def test_a_run_that_fails_after_it_lost_its_lock_says_that_it_lost_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paused: float
) -> None:
    """The next run has removed its files, so its own error would not lead to the cause."""
    now = [0.0]
    unused: Any = None
    folder = Location(str(tmp_path / "user_items"))
    lock = RunLock(folder, "user_items", "r1", "loader load", clock=lambda: now[0])
    run = PlannedApply(
        unused, Settings(), planned(), folder / "runs/r1", unused, lock, Stopwatch(), {}, unused
    )

    def write(_: PlannedApply) -> None:
        now[0] += paused
        raise ApplyFailed("cannot open 0.arrow")

    monkeypatch.setattr(PlannedApply, "_write", write)
    ended: list[Any] = []
    run.run([], [], ended.append)

    [error] = ended
    assert isinstance(error, LoaderError)
    assert str(error) == (
        "cannot go on with export user_items, because run r1 has lost its lock: it could not be "
        f"renewed for 60 s. Run `loader resume user_items --storage {tmp_path}` when no other run "
        "writes"
        if paused
        else "cannot open 0.arrow"
    )
