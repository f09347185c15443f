"""The keys of a view, one row per key, with the sum of the hashes of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loader.items.export import Export
from loader.warehouse.connection import Connection
from loader.warehouse.jdbc_query import qualified, sql_identifier
from loader.warehouse.read import KEY_HASH, ROW_HASH, ViewRead, load, renamed, selected
from loader.warehouse.row_hash import RowHash

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

ROW_COUNT, ROWS_HASH = "loader:row_count", "loader:rows_hash"


def read_key_hashes(
    spark: SparkSession, connection: Connection, view: ViewRead, row_hash: RowHash
) -> DataFrame:
    """The keys in each partition: one Spark partition per query.

    The partition column and the key columns are as `read_rows` reads them. The other columns, under
    the names of `added_name`, are KEY_HASH, ROW_COUNT and ROWS_HASH, all long. ROWS_HASH is the sum
    of the hashes of the key's rows modulo 2^63, with the sign of the sum.
    """
    rows = load(spark, connection, view, key_query(view, row_hash))
    return renamed(rows, view, _key_names(view.export), [ROW_COUNT, ROWS_HASH, KEY_HASH])


def _key_names(export: Export) -> list[str]:
    return list(dict.fromkeys([export.partition_column, *export.key]))


def key_query(view: ViewRead, row_hash: RowHash) -> str:
    """The subquery that all queries share; Spark adds a WHERE clause for the partitions.

    It groups by the hash of the key as well, because Redshift treats texts as equal that differ
    only in blanks at their end, or in case under a case-insensitive collation. The hash comes
    first: if PostgreSQL sorts the rows, it compares numbers, not texts.
    """
    names, alias = _key_names(view.export), view.aliases
    added = {ROW_HASH: row_hash.row, KEY_HASH: row_hash.key}
    keys = ", ".join(sql_identifier(alias[name]) for name in names)
    return (
        f'(select {view.label} {keys}, count(*) as "{ROW_COUNT}", '  # noqa: S608 quoted
        f'cast(mod(sum("{ROW_HASH}"), {1 << 63}) as bigint) as "{ROWS_HASH}", "{KEY_HASH}" '
        f"from (select {selected(view, names, added)} from {qualified(view.export.relation)}) "
        f'as "r" group by "{KEY_HASH}", {keys}) as "q"'
    )
