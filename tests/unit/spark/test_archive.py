import os
import stat
from pathlib import Path

import pytest

from loader.spark import archive, java


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache; its path has a blank."""
    cache = tmp_path / "my cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    return cache


def archive_file() -> Path:
    file = archive.archive()
    assert file is not None
    return file


def options(monkeypatch: pytest.MonkeyPatch, version: int) -> str:
    monkeypatch.setattr(java, "version", lambda: version)
    return archive.archive_options()


def test_an_archive_is_used_whatever_its_path(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = archive_file()
    file.parent.mkdir(parents=True)
    file.touch()

    expected = f'-XX:SharedArchiveFile="{file}" -Xlog:disable -Xlog:all=warning:stderr'
    assert file.parent == cache / "redshift-to-dynamodb"
    assert [options(monkeypatch, version) for version in (17, 21)] == [expected, expected]


def test_java_17_starts_without_a_missing_archive(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert options(monkeypatch, 17) == ""
    assert not cache.exists()


def test_from_java_19_on_one_of_two_loads_makes_a_missing_archive(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = options(monkeypatch, 19), options(monkeypatch, 19)

    assert first.startswith(f'-XX:+AutoCreateSharedArchive -XX:SharedArchiveFile="{cache}/')
    assert second == ""
    assert stat.S_IMODE((cache / "redshift-to-dynamodb").stat().st_mode) == 0o700


def test_an_archive_that_no_load_has_made_is_tried_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options(monkeypatch, 19)
    (claim,) = (cache / "redshift-to-dynamodb").iterdir()
    os.utime(claim, (0, 0))

    assert "AutoCreate" in options(monkeypatch, 19)
    assert options(monkeypatch, 19) == ""


def test_without_a_writable_cache_a_load_starts_without_an_archive(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file, not a folder")

    assert options(monkeypatch, 21) == ""


def test_an_archive_belongs_to_one_java(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = archive_file()
    monkeypatch.setattr(java, "banner", lambda: 'openjdk version "21"')

    assert archive_file() != file


def test_without_a_home_a_load_starts_without_an_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)

    assert options(monkeypatch, 21) == ""


def test_a_new_archive_replaces_all_but_the_one_that_was_used_last(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cache / "redshift-to-dynamodb"
    folder.mkdir(parents=True)
    for age, name in enumerate(["new", "used", "old", "older"]):
        for suffix in (".jsa", ".log", ".claim"):
            (folder / f"spark-1-{name}{suffix}").touch()
            os.utime(folder / f"spark-1-{name}{suffix}", (1000 - age, 1000 - age))
    os.utime(folder / "spark-1-used.jsa")

    options(monkeypatch, 19)

    kept = {file.stem for file in folder.iterdir()} - {archive_file().stem}
    assert kept == {"spark-1-used"}


def test_the_archive_that_is_used_is_the_last_to_be_removed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = archive_file()
    file.parent.mkdir(parents=True)
    file.touch()
    os.utime(file, (0, 0))

    options(monkeypatch, 17)

    assert file.stat().st_mtime > 0
