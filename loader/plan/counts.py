"""What the warehouse itself counts, to hold the read against: rows and keys before, rows after.

The count before runs beside the read, as one statement more than `--queries`.
"""

import threading
from collections.abc import Callable, Mapping

from pyspark.sql import SparkSession
from pyspark.sql import types as T

from loader.checks import Counts
from loader.exports import Export
from loader.plan.warehouse import jdbc_options, label, qualified, quoted
from loader.profile import Connection


def group_query(export: Export, types: Mapping[str, T.DataType], run: str) -> str:
    """One row: "keys", the groups whose key is not NULL, and "rows", all rows.

    A text is grouped by its MD5. Redshift takes texts that differ in trailing blanks, or in case
    under a case-insensitive collation, for equal; DynamoDB does not:
    https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
    """
    names = [quoted(name) for name in export.key]
    columns = [
        f"md5({name})" if isinstance(types[key], T.StringType) else name
        for key, name in zip(export.key, names, strict=True)
    ]
    aliases = [quoted(f"k{number}") for number in range(len(columns))]
    keys = ", ".join(f"{c} as {alias}" for c, alias in zip(columns, aliases, strict=True))
    groups = (
        f"select {keys}, count(*) as {quoted('n')} from {qualified(export.relation)} "  # noqa: S608 quoted
        f"group by {', '.join(map(str, range(1, len(columns) + 1)))}"
    )
    whole = " and ".join(f"{alias} is not null" for alias in aliases)
    return (
        f"select {label(export, run)} count(case when {whole} then 1 end) as {quoted('keys')}, "  # noqa: S608 quoted
        f"cast(sum({quoted('n')}) as bigint) as {quoted('rows')} from ({groups}) as {quoted('g')}"
    )


def row_query(export: Export, run: str) -> str:
    """One row: "rows", all rows."""
    return (
        f"select {label(export, run)} count(*) as {quoted('rows')} "  # noqa: S608 quoted
        f"from {qualified(export.relation)}"
    )


def count_groups(
    spark: SparkSession,
    connection: Connection,
    export: Export,
    types: Mapping[str, T.DataType],
    run: str,
    ring_buffer: str,
) -> Counts:
    spark.sparkContext.setJobGroup(f"{run} {export.name} count", f"count {export.name}")
    [counted] = _ask(spark, connection, group_query(export, types, run), ring_buffer)
    return Counts(int(counted["rows"] or 0), int(counted["keys"]))


def count_rows(
    spark: SparkSession, connection: Connection, export: Export, run: str, ring_buffer: str
) -> int:
    [counted] = _ask(spark, connection, row_query(export, run), ring_buffer)
    return int(counted["rows"])


def _ask(spark: SparkSession, connection: Connection, query: str, ring_buffer: str) -> list[T.Row]:
    options = jdbc_options(connection, ring_buffer)
    return spark.read.format("jdbc").options(**options, query=query).load().collect()


class Beside:
    """Work done in a thread of its own while something else goes on.

    The thread does not keep the process alive: a run that fails or is interrupted does not wait.
    """

    def __init__(self, work: Callable[[], Counts]) -> None:
        self._found: Counts | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], Counts]) -> None:
        try:
            self._found = work()
        except Exception as error:  # noqa: BLE001 raised again by `result`
            self._error = error

    def result(self) -> Counts:
        """Wait for the work; its error is raised here."""
        self._thread.join()
        if self._found is None:
            raise self._error or RuntimeError("the thread ended without a result")
        return self._found
