import errno
import fcntl
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from loader.spark import ivy_lock
from loader.spark.ivy_lock import fetching
from loader.spark.jars import IVY, fetched_jars
from loader.warehouse.connection import DRIVERS
from tests.support.repository import REPOSITORY

FETCH = """
import sys
from pathlib import Path

from loader.spark.ivy_lock import fetching

with fetching(Path(sys.argv[1])):
    print("fetching", flush=True)
    input()
"""


@contextmanager
def another_fetch(home: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", FETCH, str(home)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "fetching\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_fetch_waits_for_that_of_another_process_also_if_it_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "home" / "fetch.lock"
    with another_fetch(file.parent) as other:
        assert file.read_text() == f"{other.pid}\n"
        monkeypatch.setattr(ivy_lock.time, "sleep", lambda _: other.kill())
        with fetching(file.parent):
            assert other.wait() < 0
            assert file.read_text() == f"{os.getpid()}\n"


def test_a_fetch_that_does_not_end_is_not_waited_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ivy_lock, "FETCH_SECONDS", 0.006)
    with (
        another_fetch(tmp_path),
        pytest.raises(TimeoutError) as expired,
        fetching(tmp_path),
    ):
        pass

    assert str(expired.value) == (
        f"another process fetches into {tmp_path} for 0.0001 min: end it, or give the jar with "
        "--spark-conf spark.jars=FILE"
    )


def test_a_jar_that_another_process_copies_is_not_used_before_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = DRIVERS["redshift"]
    jar = tmp_path / "jars" / "com.amazon.redshift_redshift-jdbc42-2.3.0.jar"
    jar.parent.mkdir()
    jar.write_bytes(b"PK")

    def copy(_: float) -> None:
        with zipfile.ZipFile(jar, "w") as archive:
            archive.writestr("a", b"")
        other.kill()

    with another_fetch(tmp_path) as other:
        monkeypatch.setattr(ivy_lock.time, "sleep", copy)
        assert fetched_jars([driver], {IVY: str(tmp_path)}, tmp_path) == [jar]
    assert zipfile.is_zipfile(jar)


@pytest.mark.parametrize("call", ["open", "flock"])
def test_where_a_file_cannot_be_locked_there_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(*((Path, "open") if call == "open" else (fcntl, "flock")), refuse)
    entered = threading.Event()
    with fetching(tmp_path):
        entered.set()

    assert entered.is_set()
