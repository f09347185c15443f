"""The warehouse's counts: of which moment, and how they end."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from loader.background import in_background
from loader.dbt import profile
from loader.dbt.exposures import select_exports
from loader.dbt.manifest import read_manifest
from loader.settings import Settings
from loader.spark.failures import failure
from loader.warehouse import jdbc_query
from loader.warehouse.counts import Counts, count_groups_before, count_rows
from sandbox import Sandbox
from tests.support.holding_proxies import HoldingProxy
from tests.support.projects import export, project

pytestmark = pytest.mark.integration

VIEW = "analytics.arriving_items"
LOCK = 4711


def test_a_row_that_arrives_after_the_read_began_is_in_the_second_count_only(
    spark: SparkSession,
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
    execute: Callable[..., Any],
    tmp_path: Path,
) -> None:
    execute("create schema if not exists analytics")
    execute(f"drop table if exists {VIEW}_rows cascade")
    execute(f"create table {VIEW}_rows as select 'u' || n as user_id from generate_series(1, 3) n")
    execute(
        f"create view {VIEW} as select * from {VIEW}_rows "
        f"where pg_advisory_lock_shared({LOCK}) is not null"
    )
    chosen = project(tmp_path, {"arriving": export("arriving")}, VIEW)
    (arriving,) = select_exports(read_manifest(Settings(project_dir=chosen.folder)), [])
    connection = profile.connection(
        profile.read_profile(chosen.folder, chosen.folder, None, "sandbox", {}).credentials
    )

    with closing(sandbox.connect()) as other, other.cursor() as cursor:
        cursor.execute(f"select pg_advisory_lock({LOCK})")  # the count waits in its query
        types = {"user_id": T.StringType()}
        first = count_groups_before(spark, connection, arriving, types, "run")
        execute(f"insert into {VIEW}_rows values ('u4')")
        cursor.execute(f"select pg_advisory_unlock({LOCK})")
        before = first.result(timeout=60)
    after = count_rows(spark, connection, arriving, "run")

    assert (before, after) == (Counts(3, 3), 4)


def test_a_warehouse_that_is_gone_during_a_count_ends_it(
    spark: SparkSession,
    sandbox: Sandbox,
    sandbox_env: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The proxy holds the count, so a cancellation finds no statement to cancel."""
    monkeypatch.setattr(jdbc_query, "CANCEL_SECONDS", 1)
    chosen = project(tmp_path, {"arriving": export("arriving")}, VIEW)
    (arriving,) = select_exports(read_manifest(Settings(project_dir=chosen.folder)), [])
    connection = profile.connection(
        profile.read_profile(chosen.folder, chosen.folder, None, "sandbox", {}).credentials
    )

    with HoldingProxy(sandbox.settings.redshift_port, rb"count\(") as proxy:
        held = replace(connection, port=proxy.port, statement_seconds=1)
        count = in_background(lambda: count_rows(spark, held, arriving, "run"))
        with pytest.raises(Py4JJavaError) as failed:
            count.result(timeout=60)

    assert "timed out" in failure(failed.value)[1]
