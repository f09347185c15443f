import stat
from pathlib import Path

import pyspark
import pytest

from loader.spark.java import java_problem


def java(folder: Path, banner: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "java"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{banner}\nEND\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is first on PATH; JAVA_HOME is not set."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    return tmp_path / "bin"


NONE = (
    "Java 17 or later must be installed, got none: install a JDK (Debian: `apt-get install "
    "openjdk-17-jre-headless`, macOS: `brew install openjdk@17`) or set JAVA_HOME"
)


def test_a_missing_java_is_a_problem(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(path))

    assert java_problem() == NONE


@pytest.mark.parametrize(("version", "major"), [("11.0.22", "11"), ("16", "16")])
def test_a_java_that_is_too_old_is_a_problem(path: Path, version: str, major: str) -> None:
    java(path, f'openjdk version "{version}" 2024-01-16\nOpenJDK Runtime Environment')

    assert java_problem() == (
        f"Java must be 17 or later, got {major}: install a newer JDK or point JAVA_HOME to one"
    )


def test_java_8_is_called_8(path: Path) -> None:
    java(path, 'java version "1.8.0_292"')

    assert java_problem() == (
        "Java must be 17 or later, got 8: install a newer JDK or point JAVA_HOME to one"
    )


@pytest.mark.parametrize(
    "banner",
    [
        'openjdk version "17.0.9" 2023-10-17',
        'openjdk version "21" 2023-09-19',
        'Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "17-ea" 2021-09-14',
    ],
)
def test_java_17_and_later_are_no_problem(path: Path, banner: str) -> None:
    java(path, banner)

    assert java_problem() is None


def test_java_23_is_a_problem_for_spark_3_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java(path, 'openjdk version "23.0.1" 2024-10-15')
    with_spark_4 = java_problem()
    monkeypatch.setattr(pyspark, "__version__", "3.5.9")

    assert with_spark_4 is None
    assert java_problem() == (
        "Java must be 17 to 22 for Spark 3.5.9, got 23: install an older JDK, point JAVA_HOME to "
        "one, or install pyspark 4"
    )


def test_a_java_that_does_not_run_is_reported_with_its_reason(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = java(path, "") / "java"
    program.write_text(
        "#!/bin/sh\necho 'Error occurred during initialization of VM'\n"
        "echo 'Could not reserve enough space for object heap'\nexit 1\n"
    )

    assert java_problem() == (
        "cannot run Java: Could not reserve enough space for object heap. Check "
        f"{program}, the memory and the variables JAVA_TOOL_OPTIONS, JDK_JAVA_OPTIONS, "
        "_JAVA_OPTIONS"
    )


def test_java_home_comes_before_the_path(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java(path, 'openjdk version "11.0.22"')
    java(tmp_path / "jdk" / "bin", 'openjdk version "17.0.9"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    problem = java_problem()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "no-jdk"))

    assert (problem, java_problem()) == (None, NONE)
