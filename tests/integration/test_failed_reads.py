"""A read that fails, at any of its stages, ends with its reason and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from loader.background import in_background
from loader.dbt import profile
from loader.dbt.exposures import select_exports
from loader.dbt.manifest import read_manifest
from loader.plan.view_check import check_view
from loader.settings import Settings
from loader.spark.failures import failure
from loader.warehouse.connection import Connection
from sandbox import Sandbox
from tests.support import read_driver
from tests.support.projects import Project, export, project
from tests.support.tls_proxies import make_certificate, postgres_proxy

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.failing_items"
ROWS = 20_000
# Far more than a read takes; a read that hangs takes for ever.
SECONDS = 120


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Project:
    settings = export("failing", partitions=2, collect={"items": {"column": "item_id"}})
    return project(
        tmp_path_factory.mktemp("failing"),
        {"failing": {**settings, "attributes": ["line_number"]}},
        VIEW,
    )


@pytest.fixture
def view(execute: Run) -> Callable[[str], None]:
    """Create the view, whose `line_number` is an expression of n: 1 to ROWS."""

    def create(line_number: str) -> None:
        execute("create schema if not exists analytics")
        execute(f"drop view if exists {VIEW}")
        execute(
            f"create view {VIEW} as select 'u' || n as user_id, n % 2 as partition_id, "  # noqa: S608
            f"repeat('x', 100) as item_id, {line_number} as line_number "
            f"from generate_series(1, {ROWS}) as n"
        )

    return create


@pytest.fixture(scope="module", params=["plain text", "TLS"])
def connection(
    request: pytest.FixtureRequest,
    sandbox: Sandbox,
    chosen: Project,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Connection]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in sandbox.env().items():
            environment.setenv(name, value)
        plain = profile.connection(
            profile.read_profile(chosen.folder, chosen.folder, None, "sandbox", {}).credentials
        )
    if request.param == "plain text":
        yield plain
        return
    certificate = make_certificate(tmp_path_factory.mktemp("tls") / "made", "IP:127.0.0.1")
    with postgres_proxy(sandbox.settings.redshift_port, certificate) as port:
        parameters = (("sslmode", "verify-full"), ("sslrootcert", str(certificate.file)))
        yield dataclasses.replace(plain, port=port, parameters=parameters)


def raised(rows: DataFrame, at: int) -> Any:
    """A column whose evaluation fails in the row `at`."""
    bad = F.raise_error(F.lit(f"row {at} is bad"))
    return F.when(rows.line_number == at, bad).otherwise(rows.line_number)


def in_python(read: int, fails: bool) -> Callable[[DataFrame], DataFrame]:
    """A step that reads a number of batches in a worker, and then fails or ends."""

    def task(batches: Any) -> Any:  # a nested function, which workers do not import
        for _ in range(read):
            yield next(batches)
        if fails:
            raise ValueError("the worker is bad")

    return lambda rows: rows.mapInArrow(task, rows.schema)


@pytest.mark.parametrize(
    ("line_number", "step", "cause"),
    [
        ("n / (n - 1)", lambda rows: rows, "ERROR: division by zero"),
        (f"n / (n - {ROWS // 2})", lambda rows: rows, "ERROR: division by zero"),
        *(
            ("n", lambda rows, at=at: rows.select(raised(rows, at)), f"row {at} is bad")
            for at in (1, 505, ROWS)
        ),
        ("n", lambda rows: rows.sortWithinPartitions(raised(rows, 1)), "row 1 is bad"),
        ("n", in_python(0, fails=True), "ValueError: the worker is bad"),
        ("n", in_python(1, fails=True), "ValueError: the worker is bad"),
    ],
    ids=[
        "query at its first row",
        "query in the middle",
        *(f"decode, {at} row" for at in ("first", "after the buffer", "last")),
        "sort",
        "worker before its first row",
        "worker in the middle",
    ],
)
def test_a_read_that_fails_at_any_stage_ends_with_its_reason(
    spark: SparkSession,
    chosen: Project,
    connection: Connection,
    view: Run,
    line_number: str,
    step: Callable[[DataFrame], DataFrame],
    cause: str,
) -> None:
    view(line_number)
    rows = frame(spark, chosen, connection)

    with pytest.raises(Exception) as failed:  # noqa: PT011 the class is Spark's
        in_background(step(rows).collect).result(timeout=SECONDS)

    assert cause in failure(failed.value)[1]
    assert reading_threads(spark) == []


def test_a_read_that_ends_early_leaves_nothing_behind(
    spark: SparkSession, chosen: Project, connection: Connection, view: Run
) -> None:
    view("n")
    rows = frame(spark, chosen, connection)

    first = in_background(lambda: rows.limit(3).collect()).result(timeout=SECONDS)
    batch = in_background(in_python(1, fails=False)(rows).count).result(timeout=SECONDS)

    assert len(first) == 3
    assert batch > 0
    assert reading_threads(spark) == []


def frame(spark: SparkSession, chosen: Project, connection: Connection) -> DataFrame:
    (failing,) = select_exports(read_manifest(Settings(project_dir=chosen.folder)), [])
    return check_view(spark, Settings(queries=2), connection, failing, "run").frame


def reading_threads(spark: SparkSession) -> list[str]:
    """The driver's threads that still read after they had ten seconds to end."""
    java: Any = spark.sparkContext._jvm
    threads = [
        thread
        for thread in java.java.lang.Thread.getAllStackTraces().keySet().toArray()
        if thread.getName() == "RingBufferThread"
    ]
    for thread in threads:
        thread.join(10_000)
    return [thread.getState().toString() for thread in threads if thread.isAlive()]


def test_a_python_that_cannot_run_the_workers_ends_the_load_with_its_reason(
    sandbox: Sandbox, chosen: Project, view: Run, tmp_path: Path
) -> None:
    view("n")
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\ncase "$*" in *daemon*) echo no module of this kind >&2; exit 3;; esac\n'
        f'exec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)

    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "loader",
            "plan",
            *chosen.arguments,
            *chosen.storage,
            "--create-table",
        ],
        env=os.environ | sandbox.env() | {"PYSPARK_PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )

    *_, message = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert message.startswith("cannot read partition")
    assert "daemon" in message


def test_the_packed_driver_is_compiled_from_its_source(spark: SparkSession) -> None:
    assert read_driver.packed() == read_driver.compiled(spark)
