"""What must hold in a database of `--jdbc` before its columns are described."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from loader.errors import Refused
from loader.items.export import Relation
from loader.warehouse.connection import source_connection
from loader.warehouse.jdbc_source import JdbcSource
from loader.warehouse.source_check import require_exact

RELATION = Relation("", "main", "users")


@dataclass
class Texts:
    """A JDBC session in which every name in quotes is a text, so that no query fails."""

    product: str = "Texts"
    queries: list[str] = field(default_factory=list)

    def getMetaData(self) -> Texts:  # noqa: N802 the names are JDBC's
        return self

    def getDatabaseProductName(self) -> str:  # noqa: N802
        return self.product

    def createStatement(self) -> Texts:  # noqa: N802
        return self

    def setQueryTimeout(self, seconds: int) -> None:  # noqa: N802
        assert seconds

    def executeQuery(self, query: str) -> None:  # noqa: N802
        self.queries.append(query)


def refusal(session: Texts, url: str, quote: Any = "") -> str:
    connection = source_connection(JdbcSource(url, "a.B", "a:b:1", quote=quote))
    with pytest.raises(Refused) as refused:
        require_exact(session, connection, RELATION)
    return str(refused.value)


@pytest.mark.parametrize("quote", ['"', "`"])
def test_a_database_that_reads_a_quoted_name_as_a_text_is_refused(quote: str) -> None:
    session = Texts()

    assert refusal(session, "jdbc:texts:/shop", quote) == (
        f"{quote}loader:no column{quote} must be the name of a column in texts:/shop, got a "
        "text: set quote in the --jdbc file to the quotes of names (docs/other-databases.md)"
    )
    assert session.queries == [
        f"select {quote}loader:no column{quote} "  # noqa: S608
        f"from {quote}main{quote}.{quote}users{quote} where 1 = 0"
    ]


def test_a_database_whose_columns_hold_any_value_is_refused() -> None:
    assert refusal(Texts("SQLite"), "jdbc:sqlite:/shop.db") == (
        "sqlite:/shop.db must have values of the types of its columns, got SQLite, whose columns "
        "hold any value: copy the table to another database"
    )


def test_mysql_behind_the_url_of_another_database_is_refused() -> None:
    """Its driver would read tinyint(1) as a boolean, and a float with six digits."""
    assert refusal(Texts("MySQL"), "jdbc:proxy://h/s") == (
        "url of the --jdbc file must have mariadb: or mysql: before // for MySQL, got proxy://h/s: "
        "give the URL of its own driver"
    )
