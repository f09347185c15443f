"""Loads on machines as they are: containers, users without a home, variables of other programs.

Each works, or is refused in one line per problem. Most conditions share a load, because each
start of Spark takes seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from loader.spark.memory import MB
from loader.warehouse.connection import DRIVERS
from sandbox import Sandbox
from tests.support.containers import as_user, limited, one_cpu
from tests.support.marked_processes import mark, wait_for_end
from tests.support.projects import Project, export, project
from tests.support.relations import one_row_per_user

pytestmark = pytest.mark.integration

RELATION = "analytics.machine_items"
NOBODY, UNKNOWN = 65534, 54321
ROOT = os.geteuid() == 0
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module", autouse=True)
def _data(sandbox: Sandbox) -> None:
    one_row_per_user(sandbox, RELATION, 40)


@pytest.fixture
def small(tmp_path: Path) -> Project:
    return project(tmp_path / "my project", {"small": export("machines", partitions=4)}, RELATION)


@pytest.fixture
def run(sandbox: Sandbox) -> Run:
    """Run `python -m loader` with these words before it and these variables; None unsets one."""

    def run(
        *arguments: str,
        before: tuple[str, ...] | list[str] = (),
        cwd: str | Path = "/",
        python: str | Path = sys.executable,
        **variables: str | None,
    ) -> subprocess.CompletedProcess[str]:
        environment: dict[str, str | None] = {**os.environ, **sandbox.env(), **variables}
        return subprocess.run(
            [*before, str(python), "-m", "loader", *arguments],
            cwd=cwd,
            env={name: value for name, value in environment.items() if value is not None},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run


@pytest.fixture(scope="module")
def driver(spark: object) -> str:
    """The driver's jar, which the session of the tests has fetched."""
    name = DRIVERS["redshift"].package.replace(":", "_", 1).replace(":", "-")
    (jar,) = Path.home().glob(f".ivy2*/jars/{name}.jar")
    return str(jar)


@pytest.fixture
def owned() -> Iterator[Path]:
    """A folder with a blank in its path that nobody owns."""
    with tempfile.TemporaryDirectory(prefix="my tmp ", dir="/tmp") as name:
        if ROOT:
            os.chown(name, NOBODY, NOBODY)
        yield Path(name)


def test_a_load_needs_one_cpu_1_gb_and_one_folder_that_it_can_write(
    run: Run, s3: Any, retail: Project, driver: str, owned: Path
) -> None:
    s3.create_bucket(Bucket="machines")
    with limited(1024 * MB) as group:
        done = run(
            *("load", *retail.arguments, "--export", "user_items", "--create-table", "--json"),
            *("--storage", "s3://machines/runs", "--spark-conf", f"spark.jars={driver}"),
            before=[*group, *one_cpu(), *as_user(NOBODY)],
            HOME="/nonexistent",
            TMPDIR=str(owned),
            **mark("machines"),
        )
        wait_for_end("machines")

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    report = json.loads(done.stdout)
    assert (report["put"], len(report["queries"])) == (report["items"], 1)
    # Spark's own files are removed; the log stays.
    assert [file.name for file in owned.glob("*/*")] == ["spark.log"]


def test_a_load_does_not_depend_on_what_other_programs_left_behind(
    run: Run, small: Project, driver: str, tmp_path: Path
) -> None:
    (tmp_path / "my venv").symlink_to(sys.prefix)
    home = tmp_path / "my home"
    ivy = home / ".ivy2.5.2" / "jars"
    ivy.mkdir(parents=True)
    shutil.copy(driver, ivy)
    with ExitStack() as ports:
        for port in range(4040, 4057):
            try:
                ports.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue  # another program has it
        done = run(
            *("load", *small.arguments, "--storage", "my runs", "--create-table"),
            *("--spark-conf", "spark.driver.extraJavaOptions=-Xss2m -Duser.timezone=Asia/Tokyo"),
            cwd=tmp_path,
            python=tmp_path / "my venv" / "bin" / "python",
            HOME=str(home),
            MASTER="10.0.0.1",
            SPARK_HOME="",
            PYSPARK_DRIVER_PYTHON="jupyter",
            PYSPARK_SUBMIT_ARGS="--master local[2] --conf "
            "spark.sql.execution.arrow.useLargeVarTypes=true pyspark-shell",
        )

    assert (done.returncode, done.stdout.split(" in ")[0]) == (0, "small   complete"), done.stderr
    assert "Traceback" not in done.stderr


def problems(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The problems that a load was refused for."""
    heading, *lines = done.stderr.splitlines()
    assert done.returncode == 2, done.stderr
    assert heading.endswith(", nothing was written")
    assert [line.split()[0] for line in lines] == [str(n + 1) for n in range(len(lines))]
    return [line.split(maxsplit=1)[1] for line in lines]


def test_all_reasons_why_spark_cannot_start_are_reported_together(
    run: Run, small: Project, tmp_path: Path
) -> None:
    page = tmp_path / "page.jar"
    page.write_text("<html>blocked</html>")
    properties = {
        "spark.jars": f"{page},/nowhere/x.jar",
        "spark.local.dir": "/proc/none",
        "spark.api.mode": "connect",
    }
    words = [word for pair in properties.items() for word in ("--spark-conf", "=".join(pair))]
    with limited(512 * MB) as group:
        done = run(
            *("load", *small.arguments, "--storage", str(tmp_path / "runs"), *words),
            before=group,
            SPARK_HOME="/nowhere",
            SPARK_REMOTE="sc://localhost",
            PYSPARK_PYTHON="/nowhere/python",
            JAVA_TOOL_OPTIONS="-XX:+NoSuchOption",
        )

    found = problems(done)
    begins = [
        "cannot run Java: Unrecognized VM option 'NoSuchOption'. Check ",
        "SPARK_HOME must be the folder of Spark ",
        "SPARK_REMOTE must not be set, ",
        "spark.api.mode must not be set, ",
        *(["memory of this machine or container must be at least 1024 MB, got 512"] * bool(group)),
        "PYSPARK_PYTHON must be a program, got /nowhere/python",
        "spark.local.dir must be a folder that can be written, got /proc/none ",
        f"spark.jars must name jars, got {page} (File is not a zip file)",
        "spark.jars must name files, got /nowhere/x.jar, which does not exist",
    ]
    spark = [problem for problem in found if not problem.startswith("table ")]
    assert [p[: len(b)] for p, b in zip(spark, begins, strict=True)] == begins


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
def test_a_user_without_a_name_or_a_home_is_refused(run: Run, small: Project, owned: Path) -> None:
    os.chown(owned, UNKNOWN, UNKNOWN)

    done = run(
        *("load", *small.arguments, "--storage", str(owned / "runs"), "--create-table"),
        before=as_user(UNKNOWN),
        HOME=None,
    )

    assert problems(done) == [
        f"user {UNKNOWN} must have a name in /etc/passwd, which Spark needs, got none: add a line "
        f"to it (in an image: `RUN useradd --uid {UNKNOWN} loader`)"
    ]


def test_submit_arguments_that_end_spark_submit_are_refused(run: Run, small: Project) -> None:
    done = run("load", *small.arguments, *small.storage, PYSPARK_SUBMIT_ARGS="--version")

    assert problems(done) == [
        "PYSPARK_SUBMIT_ARGS must have options of spark-submit that set properties, got --version: "
        "unset it, and give properties with --spark-conf"
    ]


def test_without_maven_the_load_says_how_to_give_the_driver(
    run: Run, small: Project, tmp_path: Path
) -> None:
    settings = tmp_path / "ivysettings.xml"
    settings.write_text(
        '<ivysettings><settings defaultResolver="none"/><resolvers>'
        '<ibiblio name="none" m2compatible="true" root="http://127.0.0.1:9/"/>'
        "</resolvers></ivysettings>"
    )

    done = run(
        *("load", *small.arguments, *small.storage, "--create-table"),
        *("--spark-conf", f"spark.jars.ivySettings={settings}"),
        HOME=str(tmp_path),
    )

    first, *rest = done.stderr.splitlines(keepends=True)
    assert first.startswith("start  fetching com.amazon.redshift:redshift-jdbc42:")
    done.stderr = "".join(rest)
    (problem,) = problems(done)
    assert problem.startswith("cannot fetch com.amazon.redshift:redshift-jdbc42:")
    assert problem.endswith(
        ": not found. Allow access, name a mirror with --spark-conf spark.jars.repositories=URL, "
        f"or give the jar with --spark-conf spark.jars=FILE. See {small.folder}/runs/spark.log"
    )
