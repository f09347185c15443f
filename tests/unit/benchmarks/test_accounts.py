"""CPU time is counted of children too, and of those that are gone."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import accounts, measure

BURN = "import time\nwhile time.process_time() < 0.3: pass"
PARENT = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {BURN!r}])\n{BURN}"
# What outlives the measured command's end by nothing: the last sample has all of it.
PARENT += "\ntime.sleep(0.2)"


@pytest.fixture(params=["best", "proc"])
def opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "proc":

        def refuse(name: str) -> None:
            raise PermissionError(name)

        monkeypatch.setattr(accounts, "ControlGroup", refuse)
    return str(request.param)


def test_a_child_that_has_exited_is_counted(opened: str, tmp_path: Path) -> None:
    usage = measure.run([sys.executable, "-c", PARENT], measure.environment({}), tmp_path / "log")
    assert usage.code == 0
    assert 0.55 < usage.cpu < 1.5
    assert usage.method.startswith("/proc" if opened == "proc" else ("cgroup", "/proc"))


def test_the_accounts_of_two_commands_are_apart(tmp_path: Path) -> None:
    env, idle = measure.environment({}), [sys.executable, "-S", "-c", ""]
    measure.run([sys.executable, "-c", BURN], env, tmp_path / "log")
    assert measure.run(idle, env, tmp_path / "log").cpu < 0.25


def test_output_and_exit_code_are_those_of_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print(7); print('no', file=sys.stderr); exit(3)"]
    usage = measure.run(command, measure.environment({}), tmp_path / "log")
    assert (usage.code, usage.out, (tmp_path / "log").read_text()) == (3, "7\n", "no\n")


def test_settings_of_the_caller_do_not_reach_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "prod")
    monkeypatch.setenv("SPARK_HOME", "/elsewhere")
    env = measure.environment({"AWS_DEFAULT_REGION": "us-east-1"})
    assert env["AWS_DEFAULT_REGION"] == "us-east-1"
    assert not {"AWS_PROFILE", "SPARK_HOME"} & env.keys()


def test_a_process_that_is_gone_has_used_nothing_more() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert accounts.cpu_seconds(process.pid) == 0.0
    assert accounts.parent(process.pid) == 0
