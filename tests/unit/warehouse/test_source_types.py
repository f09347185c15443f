"""Types of databases that `--jdbc` names."""

import pytest
from pyspark.sql import types as T

from loader.items.text_types import NumberText, Unreadable
from loader.warehouse.column_types import ColumnType
from loader.warehouse.columns import Column
from loader.warehouse.source_types import source_type, spark_type


def type_of(kind: str, name: str, precision: int = 0, scale: int = 0) -> ColumnType:
    return source_type(Column("c", name, precision, scale), kind)


@pytest.mark.parametrize(
    ("name", "spark"),
    [
        ("TINYINT", "bigint"),
        ("INTEGER UNSIGNED", "bigint"),
        ("BIGINT UNSIGNED", "decimal(20,0)"),
        ("FLOAT", "float"),
        ("DATETIME", "string"),
        ("BLOB", "binary"),
    ],
)
def test_a_type_of_mariadb_is_read_as_a_type_that_holds_its_values(name: str, spark: str) -> None:
    assert spark_type(type_of("mariadb", name)) == spark
    assert type_of("mysql", name) == type_of("mariadb", name)


@pytest.mark.parametrize(
    ("kind", "name", "scale", "dtype", "sql"),
    [
        ("mariadb", "BIGINT UNSIGNED", 0, T.LongType(), 'cast("p" as signed)'),
        ("mariadb", "DECIMAL", 0, T.LongType(), 'cast("p" as signed)'),
        ("mariadb", "INTEGER", 0, T.LongType(), '"p"'),
        ("standard", "decimal", 0, T.LongType(), 'cast("p" as decimal(18, 0))'),
        ("standard", "decimal", 1, T.DecimalType(20, 1), '"p"'),
        ("standard", "text", 0, T.StringType(), '"p"'),
    ],
)
def test_a_partition_column_of_whole_numbers_is_read_as_an_integer(
    kind: str, name: str, scale: int, dtype: T.DataType, sql: str
) -> None:
    partition = source_type(Column("p", name, 20, scale), kind, is_partition=True)

    assert (partition.dtype, partition.expression('"p"')) == (dtype, sql)


def test_a_number_of_more_digits_than_a_decimal_of_spark_is_read_as_text() -> None:
    assert type_of("mariadb", "DECIMAL", 38, 10).dtype == T.DecimalType(38, 10)

    wide = type_of("mariadb", "DECIMAL", 65, 30)

    assert isinstance(wide.dtype, NumberText)
    assert wide.expression('"c"') == (
        "trim(trailing '.' from trim(trailing '0' from "
        "regexp_replace(cast(\"c\" as char), '^0+(?=[0-9])', '')))"
    )


@pytest.mark.parametrize(
    ("kind", "name", "precision", "scale", "shown", "cast"),
    [
        ("mariadb", "GEOMETRY", 0, 0, "GEOMETRY", "ST_AsText(c)"),
        ("standard", "DATE", 10, 0, "DATE", "cast(c as varchar(100))"),
        ("standard", "decimal", 0, -127, "decimal(0, -127)", "cast(c as decimal(38, 10))"),
    ],
)
def test_a_type_whose_exact_value_is_not_known_is_refused_with_a_cast(
    kind: str, name: str, precision: int, scale: int, shown: str, cast: str
) -> None:
    dtype = type_of(kind, name, precision, scale).dtype

    assert isinstance(dtype, Unreadable)
    assert (dtype.name, dtype.cast) == (shown, cast)
