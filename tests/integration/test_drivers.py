"""Behaviour of the JDBC drivers that the loader relies on."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from loader.dbt import profile
from loader.warehouse.driver_version import TESTED, driver_version
from loader.warehouse.jdbc_query import open_session
from loader.warehouse.read import jdbc_options

pytestmark = pytest.mark.integration

PROJECT = Path("dbt_project")


def test_redshifts_driver_buffers_as_many_rows_as_the_fetch_size(
    spark: SparkSession, sandbox_env: dict[str, str]
) -> None:
    connection = profile.connection(
        profile.read_profile(PROJECT, PROJECT, None, "sandbox", {}).credentials
    )
    session = open_session(spark, connection)
    try:
        statement = session.createStatement()
        statement.setFetchSize(int(jdbc_options(connection)["fetchsize"]))
        result = statement.executeQuery("select generate_series(1, 5000)")
        field = result.getClass().getDeclaredField("queueRows")
        field.setAccessible(True)
        queue = field.get(result)
        read = sum(1 for _ in iter(result.next, False))
        capacity = queue.size() + queue.remainingCapacity()
    finally:
        session.close()

    assert (read, capacity) == (5000, 250)


def test_the_version_of_redshifts_driver_is_read_from_the_driver(
    spark: SparkSession, sandbox_env: dict[str, str]
) -> None:
    connection = profile.connection(
        profile.read_profile(PROJECT, PROJECT, None, "sandbox", {}).credentials
    )

    assert driver_version(spark, connection) == TESTED
