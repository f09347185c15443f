"""The columns of a view, as the JDBC driver describes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JJavaError

from loader.items.export import Relation
from loader.warehouse.connection import Connection
from loader.warehouse.jdbc_query import limited_statement, open_session, qualified, sql_identifier

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Column:
    """A column as the driver describes it; `type` is the driver's name, or why it has none."""

    name: str
    type: str
    precision: int
    scale: int


def describe(
    spark: SparkSession, connection: Connection, relation: Relation, columns: Sequence[str] = ()
) -> list[Column]:
    """These columns of the relation, or all; one query that reads no row.

    The names are the warehouse's: Redshift folds them to lower case.
    Raises Py4JJavaError with the driver's SQLException.
    """
    names = ", ".join(map(sql_identifier, columns)) or "*"
    query = f"select {names} from {qualified(relation)} where 1 = 0"  # noqa: S608 quoted
    session = open_session(spark, connection)
    try:
        metadata = limited_statement(session, connection).executeQuery(query).getMetaData()
        return [
            Column(
                metadata.getColumnLabel(n),
                _type_name(metadata, n),
                metadata.getPrecision(n),
                metadata.getScale(n),
            )
            for n in range(1, metadata.getColumnCount() + 1)
        ]
    finally:
        session.close()


def _type_name(metadata: Any, number: int) -> str:
    """The name of a column's type; Redshift's driver raises for a type that is not Redshift's."""
    try:
        return str(metadata.getColumnTypeName(number))
    except Py4JJavaError as error:
        return str(error.java_exception.getMessage())
