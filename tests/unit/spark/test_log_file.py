import os
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from loader.errors import Refused
from loader.spark.jvm import start_failures
from loader.spark.log_file import MOST_BYTES, LogFile

LARGE = b"\n" * (MOST_BYTES + 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "storage" / "spark.log"


def write(path: Path, content: bytes) -> None:
    with closing(LogFile(path)) as log:
        os.write(log.descriptor, content)


def sizes(path: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in path.parent.iterdir()}


def test_runs_append_to_the_log(path: Path) -> None:
    write(path, b"first\n")
    write(path, b"second\n")

    assert (path.read_bytes(), sizes(path)) == (b"first\nsecond\n", {"spark.log": 13})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_over_ten_megabytes_is_kept_once(path: Path) -> None:
    for content in (bytes(MOST_BYTES), b"1", b"two", LARGE, b"four"):
        write(path, content)

    assert sizes(path) == {"spark.log.1": 3 + len(LARGE), "spark.log": 4}


def test_a_run_reads_what_was_written_since_it_began(path: Path) -> None:
    write(path, b"before\n")
    with closing(LogFile(path)) as log:
        os.write(log.descriptor, b"after\xff\n")

        assert log.output() == "after\ufffd\n"


def test_the_messages_of_a_start_that_fails_are_read_though_another_run_began_a_new_log(
    path: Path,
) -> None:
    def fail() -> None:
        with start_failures("", path) as log:
            os.write(log.descriptor, LARGE)
            write(path, b"of another run\n")
            os.write(log.descriptor, b"no Java\n")
            raise ConnectionError("no answer")

    with pytest.raises(Refused) as refused:
        fail()

    assert str(refused.value) == f"cannot start Spark: no Java. See {path}"
    assert path.read_bytes() == b"of another run\n"


START = """
import os, sys
from pathlib import Path
from loader.spark.log_file import LogFile

log = LogFile(Path(sys.argv[1]))
print(flush=True)
sys.stdin.readline()
os.write(log.descriptor, b"x")
"""


def test_of_runs_that_start_at_once_one_begins_a_new_log_and_all_write_to_it(path: Path) -> None:
    write(path, LARGE)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", START, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout
        process.stdout.readline()
    for process in started:
        process.communicate(b"\n")

    assert [process.returncode for process in started] == [0] * 4
    # One that opens the old file during the rename may write to that.
    assert sum(sizes(path).values()) == len(LARGE) + 4
    assert sizes(path)["spark.log"] <= 4


def test_the_log_of_a_folder_that_cannot_be_made_is_a_failed_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Refused) as refused, start_failures("", tmp_path / "file" / "spark.log"):
        pass

    assert str(refused.value).startswith("cannot start Spark: ")
