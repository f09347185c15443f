"""Whether a database of `--jdbc` reads the loader's SQL as it is meant, before the first row."""

from __future__ import annotations

import re
from typing import Any

from py4j.protocol import Py4JJavaError

from loader.errors import Refused
from loader.items.export import Relation
from loader.warehouse.connection import Connection
from loader.warehouse.jdbc_query import limited_statement, qualified, sql_identifier

# A column that no relation has.
NO_COLUMN = "loader:no column"
# Databases whose values are exact only by their own dialect, by JDBC's name of the product.
OWN_DIALECT = re.compile("mysql|mariadb", re.IGNORECASE)
# https://www.sqlite.org/datatype3.html: drivers read a text in a column of integers as 0.
WITHOUT_TYPES = "SQLite"


def require_exact(session: Any, connection: Connection, relation: Relation) -> None:
    """Raise `Refused` if values would not be exact, or names not be names."""
    _require_dialect(session, connection)
    _require_session(session, connection)
    _require_names(session, connection, relation)


def _require_dialect(session: Any, connection: Connection) -> None:
    product = session.getMetaData().getDatabaseProductName() or ""
    if product == WITHOUT_TYPES:
        raise Refused(
            f"{connection} must have values of the types of its columns, got {product}, whose "
            "columns hold any value: copy the table to another database"
        )
    if connection.kind == "standard" and OWN_DIALECT.search(product):
        raise Refused(
            f"url of the --jdbc file must have mariadb: or mysql: before // for {product}, got "
            f"{connection}: give the URL of its own driver"
        )


def _require_session(session: Any, connection: Connection) -> None:
    if not connection.dialect.session:
        return
    expressions, wanted = zip(*connection.dialect.session, strict=True)
    result = limited_statement(session, connection).executeQuery(f"select {', '.join(expressions)}")
    result.next()
    for number, (expression, value) in enumerate(zip(expressions, wanted, strict=True), 1):
        if (got := result.getString(number)) != value:
            raise Refused(
                f"{expression} in {connection} must be {value}, got {got}: remove what sets it "
                "from url and properties of the --jdbc file"
            )


def _require_names(session: Any, connection: Connection, relation: Relation) -> None:
    """A name in quotes must be a name: as a text it has one value in all rows, without an error.

    So a query of a column that does not exist must fail.
    """
    quote = connection.dialect.quote
    column, source = sql_identifier(NO_COLUMN, quote), qualified(relation, quote)
    try:
        limited_statement(session, connection).executeQuery(
            f"select {column} from {source} where 1 = 0"  # noqa: S608 quoted
        )
    except Py4JJavaError:
        return
    raise Refused(
        f"{column} must be the name of a column in {connection}, got a text: set quote in the "
        "--jdbc file to the quotes of names (docs/other-databases.md)"
    )
