"""A run without progress ends, and says where it stood still."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from loader.background import in_background
from loader.spark.progress import watched
from loader.spark.stall import Stalled, StallWatch, activity
from sandbox import Sandbox
from tests.support.projects import export, project

pytestmark = pytest.mark.integration

VIEW = "analytics.endless_rows"
SECONDS = 120


def test_a_query_without_rows_ends_the_load_and_is_named(
    sandbox: Sandbox, execute: Callable[..., Any], tmp_path: Path
) -> None:
    execute("create schema if not exists analytics")
    execute(f"drop view if exists {VIEW}")
    execute(
        f"create view {VIEW} as select 'u' || n as user_id, n % 4 as partition_id, "  # noqa: S608
        "'i' as item_id from generate_series(1, 8) as n cross join (select pg_sleep(600)) as pause"
    )
    settings = export("endless", partitions=4, collect={"items": {"column": "item_id"}})
    chosen = project(tmp_path, {"endless": settings}, VIEW)

    options = ["--create-table", "--queries", "2", "--stall-minutes", "0.2"]
    done = subprocess.run(
        [sys.executable, "-m", "loader", "load", *chosen.arguments, *chosen.storage, *options],
        env=os.environ | sandbox.env(),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )

    assert (done.returncode, done.stdout) == (1, "")
    last = re.sub(r"stage \d+", "stage N", done.stderr.splitlines()[-1])
    assert last == (
        f"cannot read partitions 0 to 1 and partitions 2 to 3 of {VIEW} from "
        f"127.0.0.1:{sandbox.settings.redshift_port}/dev for export endless: no progress for "
        "0.2 min (--stall-minutes): the job waits in 2 tasks of stage N for its first row. "
        "Nothing was written: fix the cause, load again"
    )


def test_a_job_whose_task_hangs_ends_with_its_stage(spark: SparkSession) -> None:
    def hang(_: int) -> None:
        import threading

        threading.Event().wait()

    def run() -> list[None]:
        with watched(spark, StallWatch(spark, "hangs", 4), "test", lambda _: None):
            return spark.sparkContext.parallelize([1], 1).map(hang).collect()

    with pytest.raises(Stalled) as stalled:
        in_background(run).result(timeout=SECONDS)

    assert stalled.value.tasks == [0]
    assert "the job waits in 1 task of stage" in str(stalled.value)


def test_a_group_without_jobs_has_no_activity(spark: SparkSession) -> None:
    idle = activity(spark, "no such group")

    assert (idle.stage, idle.tasks, idle.rows) == (None, [], 0)
    assert str(idle.stalled(900)) == (
        "no progress for 15 min (--stall-minutes): no executor runs a task: see spark.log and the "
        "cluster's free resources"
    )


def test_a_statement_that_waits_for_a_lock_ends_the_load(
    loader: Callable[..., Any], sandbox: Sandbox, execute: Callable[..., Any], tmp_path: Path
) -> None:
    execute("create schema if not exists analytics")
    execute(f"drop table if exists {VIEW}_locked")
    execute(
        f"create table {VIEW}_locked (user_id text, partition_id int, item_id text, "
        "purchased_at timestamp, line_number int)"
    )
    chosen = project(tmp_path, {"locked": export("locked")}, f"{VIEW}_locked")

    with closing(sandbox.connect()) as other, other.cursor() as cursor:
        cursor.execute(f"lock table {VIEW}_locked in access exclusive mode")
        run = loader(
            "plan", *chosen.arguments, *chosen.storage, "--create-table", "--stall-minutes", "0.03"
        )

    assert run.code == 2
    assert run.err.splitlines()[-1] == (
        f"  1  cannot read from 127.0.0.1:{sandbox.settings.redshift_port}/dev as user loader_dev: "
        "ERROR: canceling statement due to user request. It took longer than --stall-minutes or "
        "than the limits of the user: find what it waits for, such as a lock, or raise the limit"
    )
