"""The columns of a view, as the JDBC driver describes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JJavaError

from loader.items.export import Relation
from loader.warehouse.connection import Connection
from loader.warehouse.jdbc_query import limited_statement, open_session, qualified, sql_identifier
from loader.warehouse.source_check import require_exact

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The codes of java.sql.Types.
BIT = -7
STANDARD_NAMES = {
    -16: "text", -15: "text", -9: "text", -1: "text", 1: "text", 12: "text", 2005: "text",
    2011: "text",
    -4: "binary", -3: "binary", -2: "binary", 2004: "binary",
    -6: "integer", 4: "integer", 5: "integer", -5: "bigint",
    2: "decimal", 3: "decimal", 6: "double", 8: "double", 7: "real",
    BIT: "boolean", 16: "boolean",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column as the driver describes it; `type` is the driver's name, or why it has none.

    In a database of the kind `standard`, it is JDBC's name, such as `integer`.
    """

    name: str
    type: str
    precision: int
    scale: int


def describe(
    spark: SparkSession, connection: Connection, relation: Relation, columns: Sequence[str] = ()
) -> list[Column]:
    """These columns of the relation, or all; reads no row.

    The names are the warehouse's: Redshift folds them to lower case.
    Raises Py4JJavaError with the driver's SQLException, `Refused` if `require_exact` does.
    """
    quote = connection.dialect.quote
    names = ", ".join(sql_identifier(name, quote) for name in columns) or "*"
    query = f"select {names} from {qualified(relation, quote)} where 1 = 0"  # noqa: S608 quoted
    session = open_session(spark, connection)
    try:
        if connection.source:
            require_exact(session, connection, relation)
        metadata = limited_statement(session, connection).executeQuery(query).getMetaData()
        return [
            Column(
                metadata.getColumnLabel(n),
                _standard_name(metadata, n)
                if connection.kind == "standard"
                else _type_name(metadata, n),
                metadata.getPrecision(n),
                metadata.getScale(n),
            )
            for n in range(1, metadata.getColumnCount() + 1)
        ]
    finally:
        session.close()


def _standard_name(metadata: Any, number: int) -> str:
    """JDBC's name of a column's type, or the driver's if JDBC has none; several bits are none."""
    code = metadata.getColumnType(number)
    name = STANDARD_NAMES.get(code)
    if name is None or (code == BIT and metadata.getPrecision(number) > 1):
        return _type_name(metadata, number)
    return name if name != "bigint" or _is_signed(metadata, number) else "bigint unsigned"


def _is_signed(metadata: Any, number: int) -> bool:
    """Whether a column of integers is signed; true if the driver cannot say it, as for Spark.

    Hive's driver raises "Method not supported": https://issues.apache.org/jira/browse/HIVE-14684,
    https://issues.apache.org/jira/browse/SPARK-17355.
    """
    try:
        return bool(metadata.isSigned(number))
    except Py4JJavaError:
        return True


def _type_name(metadata: Any, number: int) -> str:
    """The name of a column's type; Redshift's driver raises for a type that is not Redshift's."""
    try:
        return str(metadata.getColumnTypeName(number))
    except Py4JJavaError as error:
        return str(error.java_exception.getMessage())
