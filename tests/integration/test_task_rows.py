"""Rows that tasks read from files, as a side of a join."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from loader.spark.task_rows import task_rows

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("how", ["left", "right", "full_outer"])
def test_rows_of_tasks_are_not_broadcast_in_a_join_whatever_comes_between(
    spark: SparkSession, how: str
) -> None:
    """Their number is not known before they are read."""

    def rows_of(source: int) -> Iterator[pa.RecordBatch]:
        keys = [f"{source}-{n}" for n in range(3)]
        yield pa.RecordBatch.from_pydict({"key": keys, "n": [0, 1, 2]})

    ours = task_rows(spark, [1, 2], rows_of, "key string, n long").select("key")
    theirs = task_rows(spark, [2, 3], rows_of, "key string, n long").where("n < 2").distinct()

    joined = ours.join(theirs.withColumnRenamed("n", "m"), "key", how)

    plan = joined._jdf.queryExecution().toString()
    assert ("SortMergeJoin" in plan, "Broadcast" in plan) == (True, False)
    counts = {"left": 6, "right": 4, "full_outer": 8}
    assert joined.count() == counts[how]
