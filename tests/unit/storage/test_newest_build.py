import json
from datetime import datetime, timezone

import pytest

from loader.errors import Refused, StorageFailed, VersionConflict
from loader.storage.location import Location
from loader.storage.newest_build import BUILD_FILE, Build, newest_build, record_build

OLD = Build("one", "2026-11-24T22:22:58.691205Z")
NEW = Build("two", "2026-11-25T22:22:58.6Z")
# 15 minutes after it are allowed: clocks differ.
NOW = datetime(2026, 11, 25, 22, 10, tzinfo=timezone.utc)
FUTURE = Build("wrong", "2027-11-25T22:22:58.6Z")


@pytest.fixture
def folder(storage: Location) -> Location:
    return storage / "users"


def test_no_build_is_known_before_the_first_is_recorded(folder: Location) -> None:
    assert newest_build(folder, NOW) is None


def test_a_build_of_the_future_is_not_recorded(
    folder: Location, capsys: pytest.CaptureFixture[str]
) -> None:
    """No correct build could replace it until its date."""
    for build in (OLD, FUTURE):
        record_build(folder, build, NOW)

    assert newest_build(folder, NOW) == OLD
    assert capsys.readouterr().err == (
        "warning: export users has build wrong of 2027-11-25T22:22:58.6Z, which is of the future "
        "at 2026-11-25T22:10:00Z and is not recorded: set the clock of this machine or of that "
        "which ran dbt, and build again\n"
    )


def test_a_recorded_build_of_the_future_does_not_count_and_is_replaced(
    folder: Location, capsys: pytest.CaptureFixture[str]
) -> None:
    """A loader whose own clock was wrong has recorded it."""
    record_build(folder, FUTURE, FUTURE.moment)

    assert (newest_build(folder, NOW), newest_build(folder, FUTURE.moment)) == (None, FUTURE)
    record_build(folder, OLD, NOW)

    assert newest_build(folder, FUTURE.moment) == OLD
    assert capsys.readouterr().err == 2 * (
        f"warning: {folder}/newest_build.json has build wrong of 2027-11-25T22:22:58.6Z, which is "
        "of the future at 2026-11-25T22:10:00Z and does not count: if that is not the time, set "
        "the clock of this machine\n"
    )


def test_the_newest_build_is_kept_in_whatever_order_builds_are_recorded(folder: Location) -> None:
    known = []
    for build in (OLD, OLD, NEW, OLD):
        record_build(folder, build, NOW)
        known.append(newest_build(folder, NOW))

    assert known == [OLD, OLD, NEW, NEW]


def test_a_build_that_is_recorded_meanwhile_is_compared_too(
    folder: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Location.replace_version

    def replace_late(self: Location, name: str, content: bytes, version: str | None) -> str:
        monkeypatch.setattr(Location, "replace_version", replace)
        record_build(folder, NEW, NOW)
        return replace(self, name, content, version)

    monkeypatch.setattr(Location, "replace_version", replace_late)

    record_build(folder, OLD, NOW, sleep=lambda _: None)

    assert newest_build(folder, NOW) == NEW


def test_a_build_is_not_tried_for_ever(folder: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    def conflict(*_: object) -> str:
        raise VersionConflict

    monkeypatch.setattr(Location, "replace_version", conflict)

    pauses: list[float] = []
    with pytest.raises(StorageFailed) as failed:
        record_build(folder, OLD, NOW, sleep=pauses.append)

    assert str(failed.value) == (
        f"cannot write to {folder}/newest_build.json: other programs replaced it 8 times "
        "meanwhile. Run it again"
    )
    assert len(pauses) == 8


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b"{}", json.dumps({"invocation": "x", "finished": "yesterday"}).encode()],
)
def test_a_damaged_file_is_refused(folder: Location, content: bytes) -> None:
    folder.write(BUILD_FILE, content)

    problems = []
    for action in (newest_build, lambda place, now: record_build(place, NEW, now)):
        with pytest.raises(Refused) as refused:
            action(folder, NOW)
        problems += refused.value.problems

    assert problems == 2 * [
        f"{folder}/newest_build.json must be a file of the loader, got a damaged one: remove it"
    ]
