import json

import pytest

from loader.errors import Refused, StorageFailed, VersionConflict
from loader.storage.location import Location
from loader.storage.newest_build import BUILD_FILE, Build, newest_build, record_build

OLD = Build("one", "2026-11-24T22:22:58.691205Z")
NEW = Build("two", "2026-11-25T22:22:58.6Z")


@pytest.fixture
def folder(storage: Location) -> Location:
    return storage / "users"


def test_no_build_is_known_before_the_first_is_recorded(folder: Location) -> None:
    assert newest_build(folder) is None


def test_the_newest_build_is_kept_in_whatever_order_builds_are_recorded(folder: Location) -> None:
    known = []
    for build in (OLD, OLD, NEW, OLD):
        record_build(folder, build)
        known.append(newest_build(folder))

    assert known == [OLD, OLD, NEW, NEW]


def test_a_build_that_is_recorded_meanwhile_is_compared_too(
    folder: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Location.replace_version

    def replace_late(self: Location, name: str, content: bytes, version: str | None) -> str:
        monkeypatch.setattr(Location, "replace_version", replace)
        record_build(folder, NEW)
        return replace(self, name, content, version)

    monkeypatch.setattr(Location, "replace_version", replace_late)

    record_build(folder, OLD, sleep=lambda _: None)

    assert newest_build(folder) == NEW


def test_a_build_is_not_tried_for_ever(folder: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    def conflict(*_: object) -> str:
        raise VersionConflict

    monkeypatch.setattr(Location, "replace_version", conflict)

    pauses: list[float] = []
    with pytest.raises(StorageFailed) as failed:
        record_build(folder, OLD, sleep=pauses.append)

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
    for action in (newest_build, lambda place: record_build(place, NEW)):
        with pytest.raises(Refused) as refused:
            action(folder)
        problems += refused.value.problems

    assert problems == 2 * [
        f"{folder}/newest_build.json must be a file of the loader, got a damaged one: remove it"
    ]
