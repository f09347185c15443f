from dataclasses import replace

import pytest
from pyspark.sql import types as T

from loader.items.text_types import NumberText, Unreadable, WarehouseText
from loader.warehouse.column_types import ColumnType, column_type, schema_of
from loader.warehouse.columns import Column

COLUMN = Column("c", "varchar", 0, 0)


def read(type_: str, kind: str = "redshift", precision: int = 0, scale: int = 0) -> ColumnType:
    column = replace(COLUMN, type=type_, precision=precision, scale=scale)
    return column_type(column, kind)


def test_a_moment_does_not_depend_on_the_time_zone_of_the_session() -> None:
    assert read("timestamptz").expression('"c"') == "cast(\"c\" at time zone 'UTC' as varchar)"


@pytest.mark.parametrize(
    ("precision", "scale"), [(38, 0), (38, 38), (18, 4)], ids=["38", "38, 38", "18, 4"]
)
def test_a_numeric_of_redshift_is_a_decimal(precision: int, scale: int) -> None:
    type_ = read("numeric", "redshift", precision, scale)

    assert (type_.dtype, type_.is_plain) == (T.DecimalType(precision, scale), True)


@pytest.mark.parametrize(
    ("precision", "scale"),
    [(0, 0), (40, 2), (5, 2046), (2, 5), (10, 2)],
    ids=["without a precision", "too long", "of a negative scale", "below 1", "that may be NaN"],
)
def test_a_numeric_of_postgres_is_a_text(precision: int, scale: int) -> None:
    type_ = read("numeric", "postgres", precision, scale)

    assert isinstance(type_.dtype, NumberText)
    assert type_.expression('"c"') == 'cast(trim_scale("c") as varchar)'


def test_super_is_its_json_and_neither_a_key_nor_ordered() -> None:
    dtype = read("super").dtype

    assert isinstance(dtype, WarehouseText)
    assert (dtype.name, dtype.key, dtype.ordered, read("super").is_plain) == (
        "super",
        False,
        False,
        True,
    )


def test_a_text_in_the_query_of_a_redshift_view_is_a_text() -> None:
    type_ = read("unknown")

    assert (type_.dtype, type_.is_plain) == (T.StringType(), True)


@pytest.mark.parametrize(
    ("type_", "cast"),
    [
        ("geometry", "ST_AsText(c)"),
        ("hllsketch", "hll_cardinality(c)"),
        ("intervaly2m", "extract(year from c) * 12 + extract(month from c)"),
        ("intervald2s", "extract(epoch from c)"),
        ("aclitem", "cast(c as varchar)"),
    ],
)
def test_another_type_of_redshift_is_refused_with_a_cast(type_: str, cast: str) -> None:
    dtype = read(type_).dtype

    assert isinstance(dtype, Unreadable)
    assert (dtype.name, dtype.cast) == (type_, cast)


def test_the_length_of_a_varchar_is_kept_and_that_of_a_text_is_not() -> None:
    columns = [replace(COLUMN, precision=256), replace(COLUMN, type="text", precision=2**31 - 1)]
    schema = schema_of(columns, [column_type(column, "redshift") for column in columns])

    assert [field.metadata for field in schema.fields] == [
        {"__CHAR_VARCHAR_TYPE_STRING": "varchar(256)"},
        {},
    ]
