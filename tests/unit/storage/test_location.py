import fcntl
import os
import pickle
import resource
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loader.errors import StorageFailed
from loader.storage.local_files import GUARD
from loader.storage.location import Location


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def write_half(folder: Location, error: BaseException) -> None:
    with folder.create("x") as stream:
        stream.write(b"half")
        raise error


def test_only_the_owner_can_read_files_and_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "changes"
    with Location(str(folder)).create("x") as stream:
        stream.write(b"1")
        partial = [mode(folder / name) for name in os.listdir(folder)]

    assert (mode(folder), partial, mode(folder / "x")) == ("0o700", ["0o600"], "0o600")


def test_only_the_owner_can_read_the_folders_that_are_created(tmp_path: Path) -> None:
    (Location(str(tmp_path)) / "export" / "runs" / "changes").write("x", b"1")

    made = [tmp_path / "export", tmp_path / "export/runs", tmp_path / "export/runs/changes"]
    assert [mode(folder) for folder in made] == ["0o700"] * 3


@pytest.mark.parametrize(
    ("uri", "joined", "is_s3"),
    [
        (".loader", ".loader/run", False),
        ("/data/", "/data/run", False),
        ("s3://bucket/prefix/", "s3://bucket/prefix/run", True),
        ("s3://bucket", "s3://bucket/run", True),
    ],
)
def test_a_folder_is_joined_with_one_slash(uri: str, joined: str, is_s3: bool) -> None:
    location = Location(uri) / "run"

    assert (str(location), location.is_s3) == (joined, is_s3)


def test_a_storage_that_cannot_be_written_is_reported_with_its_cause(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert Location(str(tmp_path / "file")).problem() == (
        f"cannot write to --storage {tmp_path}/file: File exists. "
        "Check its owner, its mode and the free space, or choose another --storage"
    )


def test_logs_are_in_a_local_storage_folder() -> None:
    assert Location("a/b").log_folder() == Path("a/b")


def test_logs_of_a_run_on_s3_are_in_a_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

    folder = Location("s3://b/p").log_folder()

    assert (folder.parent, mode(folder)) == (tmp_path / "temporary", "0o700")
    assert folder.name.startswith("loader-")
    assert os.listdir(tmp_path) == ["temporary"]


def test_a_signal_after_the_rename_of_a_file_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.replace

    def interrupted(source: Path, target: Path) -> None:
        rename(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Location(str(tmp_path)).write("x", b"1")

    assert os.listdir(tmp_path) == ["x"]


def test_a_full_disk_is_reported_with_the_file(tmp_path: Path) -> None:
    # The limit of a file stands for the disk: both are errors of the same call.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(StorageFailed) as failed:
            Location(str(tmp_path)).write("x", bytes(2_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert str(failed.value) == (
        f"cannot write to {tmp_path}/x: File too large. "
        "Check its owner, its mode and the free space, or choose another --storage"
    )
    assert os.listdir(tmp_path) == []


def test_a_folder_without_permission_is_reported_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")  # not by the mode: root may write everywhere

    folder = Location(str(tmp_path))
    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(StorageFailed) as failed:
        folder.write("x", b"1")

    assert str(failed.value) == (
        f"cannot write to {tmp_path}/x: Permission denied. "
        "Check its owner, its mode and the free space, or choose another --storage"
    )


def test_a_file_that_guards_versions_is_private(tmp_path: Path) -> None:
    (Location(str(tmp_path)) / "export").replace_version("x", b"1", None)

    made = tmp_path / "export"
    assert [mode(made), *map(mode, sorted(made.iterdir()))] == ["0o700", "0o600", "0o600"]


def test_a_replacement_that_fails_leaves_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    folder = Location(str(tmp_path))
    version = folder.replace_version("x", b"1", None)
    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder.replace_version("x", b"2", version)

    assert (folder.read_version("x"), folder.files()) == ((b"1", version), ["x"])


def test_a_process_that_stopped_while_it_replaced_a_file_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Location(str(tmp_path))
    folder.write("x", b"1")
    monkeypatch.setattr("loader.storage.local_files.GUARD_SECONDS", 0.0)
    with open(tmp_path / GUARD, "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        with pytest.raises(StorageFailed) as failed:
            folder.replace_version("x", b"2", folder.read_version("x")[1])

    assert str(failed.value) == (
        f"cannot lock {tmp_path}/{GUARD}: another process has held it for 0 s. End that process"
    )
    assert folder.read("x") == b"1"


COUNT = """
import sys
from loader.errors import VersionConflict
from loader.storage.location import Location

folder = Location(sys.argv[1])
for _ in range(50):
    while True:
        content, version = folder.read_version("x")
        try:
            folder.replace_version("x", b"%d" % (int(content) + 1), version)
            break
        except VersionConflict:
            pass
"""


def test_processes_that_replace_a_file_at_once_lose_no_update(tmp_path: Path) -> None:
    folder = Location(str(tmp_path))
    folder.write("x", b"0")
    processes = [subprocess.Popen([sys.executable, "-c", COUNT, tmp_path]) for _ in range(3)]

    assert [process.wait() for process in processes] == [0, 0, 0]
    assert folder.read("x") == b"150"


def test_the_age_of_a_file_does_not_depend_on_the_clock_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Location(str(tmp_path))
    folder.write("x", b"1")
    os.utime(tmp_path / "x", ns=(0, (tmp_path / "x").stat().st_mtime_ns - 30 * 10**9))
    hour_later = time.time() + 3_600
    monkeypatch.setattr("time.time", lambda: hour_later)

    assert 30 <= folder.age("x") < 40


def test_a_task_writes_nothing_where_it_does_not_see_the_folder_of_its_run(tmp_path: Path) -> None:
    """An executor that joined after the check of the storage, or a run that was interrupted."""
    export = Location(str(tmp_path / "users"))
    run = export / "runs" / "r"
    task = pickle.loads(pickle.dumps(export.within(run)))  # noqa: S301
    for folder in (task, task / "runs" / "r" / "changes", (task / "a").parent):
        with pytest.raises(StorageFailed) as failed:
            folder.write("x", b"row of a user")
        with pytest.raises(StorageFailed) as unread:
            folder.open("x")
        cause = (
            f"{socket.gethostname()} does not see {run}. Share the folder of --storage with all "
            "machines of the cluster, or give s3://bucket/prefix"
        )
        assert str(failed.value) == f"cannot write to {folder}/x: {cause}"
        assert str(unread.value) == f"cannot read {folder}/x: {cause}"
    assert not (tmp_path / "users").exists()

    run.make()
    (task / "runs" / "r" / "changes").write("x", b"row of a user")

    assert (run / "changes").read("x") == b"row of a user"
    assert stat.S_IMODE((tmp_path / "users" / "runs" / "r").stat().st_mode) == 0o700


def test_tasks_on_a_local_folder_do_not_import_botocore() -> None:
    code = (
        "import pickle, sys, tempfile; from loader.storage.location import Location; "
        "from loader.storage import changeset, lock, prune, rejects, state_file; "
        "folder = pickle.loads(pickle.dumps(Location(tempfile.mkdtemp()))); "
        "folder.write('x', b'1'); folder.read('x'); folder.delete(); "
        "print([name for name in sys.modules if name.partition('.')[0] in ('boto3', 'botocore')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout == "[]\n"


def test_an_s3_endpoint_with_a_password_is_a_problem_that_does_not_show_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://me:pass@s3.example")

    assert Location("s3://bucket").plain_text_problem(allowed=True) == (
        "endpoint of S3 must be https://host, https://host:port or https://host:port/path, got "
        "https://***@s3.example: correct AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the AWS profile"
    )
