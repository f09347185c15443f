"""Rows that tasks read from sources which Spark does not know, such as files of the storage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

S = TypeVar("S")


def task_rows(
    spark: SparkSession,
    sources: Sequence[S],
    read: Callable[[S], Iterable[pa.RecordBatch]],
    schema: str,
) -> DataFrame:
    """The batches that `read` returns for each source, one task per source.

    A join of the rows never broadcasts them: Spark takes them for as many as the sources, so that
    it would try to with 10 million.
    """

    def read_all(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from read(sources[number])

    rows = spark.range(0, len(sources), 1, max(1, len(sources))).mapInArrow(read_all, schema)
    return rows.hint("merge")
