"""The columns of a relation, as a JDBC driver describes them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from loader.items.export import Relation
from loader.warehouse import columns
from loader.warehouse.columns import Column, describe
from loader.warehouse.connection import Connection

BIGINT = -5


class Metadata:
    """Of one column of the type bigint, as the Hive driver has it: HIVE-14684."""

    def getColumnCount(self) -> int:  # noqa: N802
        return 1

    def getColumnLabel(self, _: int) -> str:  # noqa: N802
        return "user_id"

    def getColumnType(self, _: int) -> int:  # noqa: N802
        return BIGINT

    def getPrecision(self, _: int) -> int:  # noqa: N802
        return 19

    def getScale(self, _: int) -> int:  # noqa: N802
        return 0

    def isSigned(self, _: int) -> bool:  # noqa: N802
        unsupported = SimpleNamespace(getMessage=lambda: "Method not supported", _target_id="o1")
        raise Py4JJavaError("", cast(Any, unsupported))


class Unsigned(Metadata):
    def isSigned(self, _: int) -> bool:  # noqa: N802
        return False


@pytest.mark.parametrize(
    ("metadata", "name"), [(Metadata(), "bigint"), (Unsigned(), "bigint unsigned")]
)
def test_an_integer_is_signed_unless_the_driver_says_that_it_is_not(
    metadata: Metadata, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = SimpleNamespace(getMetaData=lambda: metadata)
    statement = SimpleNamespace(executeQuery=lambda _: result)
    monkeypatch.setattr(columns, "open_session", lambda *_: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(columns, "limited_statement", lambda *_: statement)
    connection = SimpleNamespace(dialect=SimpleNamespace(quote="`"), kind="standard", source=None)

    described = describe(
        cast(SparkSession, None), cast(Connection, connection), Relation("dev", "shop", "orders")
    )

    assert described == [Column("user_id", name, 19, 0)]
