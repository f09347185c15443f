"""The usage of a command includes its children, also those that have exited."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import cpu_time, usage
from benchmarks.threads import Threads

BURN = "import time\nwhile time.process_time() < 0.3: pass"
PARENT = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {BURN!r}])\n{BURN}"


@pytest.fixture(params=["cgroup", "proc"])
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "proc":

        def refuse(name: str) -> None:
            raise PermissionError(name)

        monkeypatch.setattr(cpu_time, "ControlGroup", refuse)
    return str(request.param)


def test_a_child_that_has_exited_is_counted(method: str, tmp_path: Path) -> None:
    result = usage.run([sys.executable, "-c", PARENT], usage.environment({}), tmp_path / "log")
    assert result.code == 0
    assert 0.55 < result.cpu < 5.0
    assert result.method.startswith("/proc" if method == "proc" else ("cgroup", "/proc"))


def test_a_command_is_measured_without_earlier_commands(tmp_path: Path) -> None:
    env, idle = usage.environment({}), [sys.executable, "-S", "-c", ""]
    usage.run([sys.executable, "-c", BURN], env, tmp_path / "log")
    # A pause of a virtual machine may count as CPU time of one of them.
    assert min(usage.run(idle, env, tmp_path / "log").cpu for _ in range(3)) < 0.25


def test_the_usage_has_the_output_and_the_exit_code_of_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print(7); print('no', file=sys.stderr); exit(3)"]
    result = usage.run(command, usage.environment({}), tmp_path / "log")
    assert (result.code, result.out, (tmp_path / "log").read_text()) == (3, "7\n", "no\n")


def test_the_caller_s_settings_do_not_reach_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "prod")
    monkeypatch.setenv("SPARK_HOME", "/elsewhere")
    env = usage.environment({"AWS_DEFAULT_REGION": "us-east-1"})
    assert env["AWS_DEFAULT_REGION"] == "us-east-1"
    assert not {"AWS_PROFILE", "SPARK_HOME"} & env.keys()


def test_an_exited_process_has_no_cpu_time_and_no_parent() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert cpu_time.cpu_seconds(process.pid) == 0.0
    assert cpu_time.parent(process.pid) == 0


def test_threads_are_counted_from_the_start() -> None:
    def burn() -> None:
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass

    threads = Threads()
    burn()
    used = time.process_time()
    threads.sample(os.getpid())
    threads.start()
    before = threads.by_purpose()
    burn()
    threads.sample(os.getpid())

    assert before == {"compiler": 0.0, "collector": 0.0, "tasks": 0.0, "driver": 0.0}
    spent = time.process_time() - used
    assert 0.25 < threads.by_purpose()["driver"] < spent + 0.1
