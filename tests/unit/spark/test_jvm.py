import fcntl
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loader.spark import jvm
from loader.spark.ivy_lock import LOCK_FILE
from loader.spark.log_file import LogFile

CLUSTER = {"spark.master": "yarn"}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A cluster that starts the application when the event is set; the end of the JVM sets it."""
    answer = threading.Event()

    def start(**_: Any) -> Any:
        answer.wait()
        if ended:
            raise ConnectionResetError("the JVM ended")
        return SimpleNamespace()

    ended: list[bool] = []

    def end() -> None:
        ended.append(True)
        answer.set()

    start._gateway = "gateway"  # type: ignore[attr-defined]
    monkeypatch.setattr(jvm, "SparkContext", start)
    monkeypatch.setattr(jvm, "SparkConf", lambda: SimpleNamespace(setAll=dict))
    monkeypatch.setattr(jvm.processes, "end", end)
    return answer


def started(seconds: float | None) -> Any:
    log: Any = LogFile
    return jvm.start_jvm(CLUSTER, log, {}, seconds)


def test_a_cluster_that_does_not_start_the_application_is_not_waited_for_forever(
    cluster: threading.Event,
) -> None:
    with pytest.raises(TimeoutError) as expired:
        started(0.006)

    assert str(expired.value) == (
        "yarn did not start the application in 0.0001 min (--stall-minutes)"
    )


def test_a_cluster_that_starts_at_once_prints_nothing(
    cluster: threading.Event, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.set()

    assert started(60.0) is not None
    assert started(None) is not None
    assert capsys.readouterr().err == ""


def test_no_other_process_fetches_while_the_jvm_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def launch(*_: Any) -> Any:
        with (
            (tmp_path / LOCK_FILE).open("a") as lock,
            pytest.raises(BlockingIOError),
        ):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return SimpleNamespace(proc=None)

    monkeypatch.setattr(jvm.java_gateway, "launch_gateway", launch)
    conf: Any = None
    jvm._launch(conf, {"spark.jars.packages": "a:b:1", "spark.jars.ivy": str(tmp_path)}, {}, 2)

    with (tmp_path / LOCK_FILE).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert capsys.readouterr().err == "start  fetching a:b:1 from Maven\n"
