"""The session of a cluster, as spark-submit starts it: executors in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loader.spark.home import spark_home
from sandbox import Sandbox
from tests.support.projects import export, project
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.integration

VIEW = "analytics.cluster_items"
PROGRAM = "import sys\n\nfrom loader.cli import main\n\nsys.exit(main())\n"
# What executors find in their own environment must not matter, but for credentials.
MISLEADING = {
    "spark.executorEnv.TZ": "Asia/Tokyo",
    "spark.executor.extraJavaOptions": "-Duser.timezone=Australia/Lord_Howe",
    "spark.executorEnv.AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:9",
    "spark.executorEnv.AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "spark.executorEnv.AWS_DEFAULT_REGION": "eu-west-1",
    "spark.ui.enabled": "false",
}


def test_a_load_by_spark_submit_takes_endpoints_region_and_times_from_the_driver_and_prints_json(
    sandbox: Sandbox,
    spark: object,
    execute: Callable[..., Any],
    items: Callable[[str], list[dict[str, Any]]],
    s3: Any,
    tmp_path: Path,
) -> None:
    """`spark` is there for the jar of the driver, which its session has fetched."""
    execute("create schema if not exists analytics")
    execute(f"drop view if exists {VIEW}")
    execute(
        f"create view {VIEW} as select 'u' || n as user_id, n % 4 as partition_id, "  # noqa: S608
        "timestamp '2026-03-29 02:30:00' + n * interval '1 hour' as local_time, "
        "date '2026-03-29' as day, "
        "timestamptz '2026-03-29 02:30:00+00' + n * interval '1 hour' as moment, 'i' as item_id "
        "from generate_series(1, 40) as n"
    )
    settings = export(
        "cluster_items",
        partitions=4,
        attributes=["local_time", "day", "moment"],
        collect={"items": {"column": "item_id"}},
    )
    chosen = project(tmp_path / "project", {"small": settings}, VIEW)
    s3.create_bucket(Bucket="cluster")
    program = tmp_path / "load.py"
    program.write_text(PROGRAM)
    conf = [word for name, value in MISLEADING.items() for word in ("--conf", f"{name}={value}")]

    done = subprocess.run(
        [
            *(str(spark_home() / "bin" / "spark-submit"), "--master", "local-cluster[1,2,1024]"),
            *(*conf, str(program), "load", *chosen.arguments, "--export", "small", "--json"),
            *("--storage", "s3://cluster/runs", "--create-table"),
            *("--spark-conf", "spark.executor.extraJavaOptions=-Xss2m"),
        ],
        env={
            **os.environ,
            **sandbox.env(),
            "PYTHONPATH": str(REPOSITORY),
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr[-5000:]
    report = json.loads(done.stdout)
    assert (report["complete"], report["put"], len(report["queries"])) == (True, 40, 2)
    assert "plan   started: 4 partitions\n" in done.stderr
    hours = {n: f"2026-03-{29 + (n + 2) // 24:02d} {(n + 2) % 24:02d}:30:00" for n in range(1, 41)}
    assert sorted(items("cluster_items"), key=lambda item: int(item["user_id"][1:])) == [
        {
            "user_id": f"u{n}",
            "local_time": hours[n].replace(" ", "T"),
            "day": "2026-03-29",
            "moment": f"{hours[n].replace(' ', 'T')}.000000Z",
            "items": ["i"],
        }
        for n in range(1, 41)
    ]
