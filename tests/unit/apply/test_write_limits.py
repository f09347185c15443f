"""What a run may write, looked up again; tests/integration/test_write_limits.py changes a table."""

import re

import pytest

from loader.apply.pacing import PACE_FILE
from loader.apply.write_limits import change
from loader.capacity_setting import capacity_setting
from loader.errors import Refused
from loader.storage.location import Location
from loader.storage.lock import RunLock

HALF, FAST = capacity_setting("50%"), capacity_setting("500")


def test_the_setting_of_the_run_that_writes_is_changed_and_the_last_one_returned(
    tmp_path: object,
) -> None:
    folder = Location(f"{tmp_path}/users")
    run = folder / "runs" / "r1"
    with RunLock(folder, "users", "r1", "loader load"):
        run.write(PACE_FILE, b"50%\n")

        assert (change(folder, FAST), change(folder, HALF)) == (HALF, FAST)
        assert run.read(PACE_FILE) == b"50%\n"


def test_a_run_that_has_no_limit_yet_and_none_at_all_are_refused(tmp_path: object) -> None:
    folder = Location(f"{tmp_path}/users")
    with pytest.raises(Refused) as without, RunLock(folder, "users", "r1", "loader load"):
        change(folder, FAST)
    with pytest.raises(Refused) as ended:
        change(folder, FAST)

    assert re.sub(r"a run of .*\)", "a run", str(without.value)) == (
        "export users must have a run that writes within a limit, got a run, which does not write "
        "yet or has no limit: give --write-capacity to the next load"
    )
    assert str(ended.value) == (
        "export users must have a run that writes within a limit, got none: give --write-capacity "
        "to the next load"
    )


def test_a_run_that_ends_while_its_lock_is_read_has_no_limit_to_change(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Location(f"{tmp_path}/users")
    read = Location.read

    def ending(self: Location, name: str) -> bytes:
        content = read(self, name)
        self.remove(name)
        return content

    with RunLock(folder, "users", "r1", "loader load"):
        monkeypatch.setattr(Location, "read", ending)
        with pytest.raises(Refused) as ended:
            change(folder, FAST)
        monkeypatch.undo()

    assert str(ended.value) == (
        "export users must have a run that writes within a limit, got none: give --write-capacity "
        "to the next load"
    )
