"""What holds for the files of every storage; tests/integration/storages runs these on S3 too."""

import threading
from collections.abc import Callable

import pytest

from loader.errors import VersionConflict
from loader.storage.location import Location


@pytest.fixture
def folder(storage: Location) -> Location:
    return storage / "a b" / "é"


def write_half(folder: Location, error: BaseException) -> None:
    with folder.replace("x") as stream:
        stream.write(b"half")
        stream.close()  # as a library does with the stream that it writes to
        raise error


def at_once(count: int, work: Callable[[int], object]) -> list[object]:
    """The results of the work in threads that begin together, or what it raised."""
    barrier = threading.Barrier(count)
    results: list[object] = [None] * count

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = work(number)
        except Exception as error:  # noqa: BLE001  the test compares it
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("content", [b"", b"\x00\xff", bytes(5 << 20)])
def test_a_file_is_read_as_it_was_last_written(folder: Location, content: bytes) -> None:
    folder.write("x", b"first")
    folder.write("x", content)

    assert (folder.read("x"), folder.read_version("x")[0]) == (content, content)
    assert folder.files() == ["x"]


def test_a_file_does_not_exist_until_it_is_complete(folder: Location) -> None:
    with folder.create("x") as stream:
        stream.write(b"half")
        before = (folder.exists("x"), folder.files())
        stream.write(b" and half")

    assert before == (False, [])
    assert (folder.exists("x"), folder.read("x")) == (True, b"half and half")


@pytest.mark.parametrize("failure", [OSError("no rows"), KeyboardInterrupt(), GeneratorExit()])
def test_a_file_whose_writer_fails_does_not_appear(
    folder: Location, failure: BaseException
) -> None:
    with pytest.raises(type(failure)):
        write_half(folder, failure)

    assert folder.files() == []


def test_a_file_whose_writer_fails_leaves_the_old_one(folder: Location) -> None:
    folder.write("x", b"old")
    with pytest.raises(KeyboardInterrupt):
        write_half(folder, KeyboardInterrupt())

    assert (folder.files(), folder.read("x")) == (["x"], b"old")


def test_a_new_file_does_not_replace_one_of_another_run(folder: Location) -> None:
    folder.write("x", b"of another run")
    with pytest.raises(FileExistsError) as refused, folder.create("x") as stream:
        stream.write(b"new")

    assert str(refused.value) == (
        f"{folder}/x must be a new file, got one of another run: load again"
    )
    assert (folder.read("x"), folder.files()) == (b"of another run", ["x"])


def test_a_missing_file_is_not_found_and_its_removal_is_no_error(folder: Location) -> None:
    folder.remove("x")
    folder.delete()
    for read in (folder.read, folder.open, folder.read_version, folder.age):
        with pytest.raises(FileNotFoundError):
            read("x")

    assert (folder.exists("x"), folder.files(), folder.folders()) == (False, [], [])


def test_removing_a_file_leaves_the_others(folder: Location) -> None:
    folder.write("x", b"1")
    folder.write("y", b"2")
    folder.remove("x")

    assert folder.files() == ["y"]


def test_deleting_removes_the_folder_with_its_files_and_no_other(folder: Location) -> None:
    (folder / "changes").write("x", b"1")
    folder.write("y", b"2")
    other = Location(f"{folder}-2")
    other.write("x", b"3")
    folder.delete()

    assert (folder.files(), folder.folders(), other.files()) == ([], [], ["x"])


def test_files_and_folders_are_listed_without_those_that_are_being_written(
    folder: Location,
) -> None:
    folder.replace_version("b", b"1", None)
    folder.write("a", b"2")
    (folder / "y").write("x", b"3")
    (folder / "x").write("x", b"4")
    with folder.create("c"):
        listed = (folder.files(), folder.folders())

    assert listed == (["a", "b"], ["x", "y"])


def test_a_storage_that_can_be_written_has_no_problem_and_stays_empty(folder: Location) -> None:
    assert folder.problem() is None
    assert folder.files() == []


# Versions


@pytest.mark.parametrize("content", [b"", b"1", bytes(5 << 20)])
def test_a_file_is_replaced_while_it_has_the_version_that_was_read(
    folder: Location, content: bytes
) -> None:
    first = folder.replace_version("x", content, None)
    read = folder.read_version("x")
    second = folder.replace_version("x", b"2", first)

    assert read == (content, first)
    assert (folder.read_version("x"), folder.files()) == ((b"2", second), ["x"])
    assert first != second


def test_a_file_that_was_replaced_since_is_not_replaced(folder: Location) -> None:
    first = folder.replace_version("x", b"1", None)
    second = folder.replace_version("x", b"2", first)
    for version in (first, None):
        with pytest.raises(VersionConflict) as conflict:
            folder.replace_version("x", b"3", version)

        assert str(conflict.value) == f"another program replaced or removed {folder}/x"
    assert folder.read_version("x") == (b"2", second)


def test_a_file_that_was_removed_since_is_not_replaced(folder: Location) -> None:
    version = folder.replace_version("x", b"1", None)
    folder.remove("x")
    with pytest.raises(VersionConflict):
        folder.replace_version("x", b"2", version)

    assert folder.files() == []


def test_a_file_is_removed_only_while_it_has_the_version_that_was_read(folder: Location) -> None:
    first = folder.replace_version("x", b"1", None)
    second = folder.replace_version("x", b"2", first)
    with pytest.raises(VersionConflict):
        folder.remove_version("x", first)
    before = folder.read("x")
    folder.remove_version("x", second)
    folder.remove_version("x", second)  # it is gone

    assert (before, folder.files()) == (b"2", [])


def test_of_programs_that_create_a_file_at_once_exactly_one_does(folder: Location) -> None:
    results = at_once(8, lambda n: folder.replace_version("x", b"%d" % n, None))

    [winner] = [n for n, result in enumerate(results) if isinstance(result, str)]
    assert folder.read_version("x") == (b"%d" % winner, results[winner])
    assert {type(result) for result in results} == {str, VersionConflict}


def test_programs_that_replace_a_file_at_once_lose_no_update(folder: Location) -> None:
    def add(number: int) -> None:
        for step in range(5):
            while True:
                content, version = folder.read_version("x")
                try:
                    folder.replace_version("x", content + b" %d.%d" % (number, step), version)
                    break
                except VersionConflict:
                    continue

    folder.write("x", b"")
    failed = [result for result in at_once(4, add) if result]
    updates = sorted(folder.read("x").decode().split())

    assert failed == []
    assert updates == [f"{number}.{step}" for number in range(4) for step in range(5)]


def test_the_age_of_a_file_begins_when_it_is_replaced(folder: Location) -> None:
    version = folder.replace_version("x", b"1", None)
    folder.replace_version("x", b"2", version)

    assert 0 <= folder.age("x") < 60
