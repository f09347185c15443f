"""The types of the columns of a database that `--jdbc` names, and the SQL that reads them exactly.

MariaDB's types have the names of its driver. A date, a time and a number that no decimal of Spark
holds are read as the database's text; of other databases, columns of these types are refused,
because the form of their text is not known.
"""

from pyspark.sql import types as T

from loader.items.text_types import TEXTS, NumberText, Unreadable, WarehouseText
from loader.warehouse.column_types import DECIMAL_DIGITS, ColumnType
from loader.warehouse.columns import Column

CHAR = "cast({0} as char)"
# MariaDB stores the date 2024-00-00, of which its drivers make null or another date, and with the
# mode ALLOW_INVALID_DATES also 2024-02-30. The text that stands for them is not in the range of
# dates, so their rows are rejects. The last day of an invalid date is NULL, except in MariaDB.
DATE = (
    f"case when year({{0}}) > 0 and day({{0}}) between 1 and day(last_day({{0}})) then {CHAR} "
    f"when {{0}} is not null then concat('the invalid date ', {CHAR}) end"
)
# A column with ZEROFILL has zeros before the number.
NUMBER = f"regexp_replace({CHAR}, '^0+(?=[0-9])', '')"
FRACTION = f"trim(trailing '.' from trim(trailing '0' from {NUMBER}))"
UNSIGNED = "cast({0} as unsigned)"
BIGINT_UNSIGNED = T.DecimalType(20, 0)
# Of MariaDB, where mod(crc32(id), 30) is unsigned, and of Oracle, which has no integers.
SIGNED, SHORT = "cast({0} as signed)", "cast({0} as decimal(18, 0))"

MARIADB: dict[str, ColumnType] = {
    # Spark would fill a text of the type char with blanks: enum, set, uuid and inet6 are some too.
    **dict.fromkeys(("char", "enum", "set", "json"), ColumnType(T.StringType(), CHAR)),
    "varchar": ColumnType(T.StringType()),
    **dict.fromkeys(("tinytext", "text", "mediumtext", "longtext"), ColumnType(T.StringType())),
    **dict.fromkeys(("binary", "varbinary", "blob"), ColumnType(T.BinaryType())),
    **dict.fromkeys(("tinyblob", "mediumblob", "longblob"), ColumnType(T.BinaryType())),
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int"), ColumnType(T.LongType())),
    **dict.fromkeys(("integer", "bigint"), ColumnType(T.LongType())),
    "year": ColumnType(T.LongType(), UNSIGNED),
    "bit": ColumnType(BIGINT_UNSIGNED, UNSIGNED),
    # The server sends a float with 6 digits, a double with all of them.
    "float": ColumnType(T.FloatType(), "cast({0} as double)"),
    "double": ColumnType(T.DoubleType()),
    "date": ColumnType(T.DateType(), DATE),
    "datetime": ColumnType(T.TimestampNTZType(), DATE),
    "timestamp": ColumnType(T.TimestampType(), DATE),
    # -838:59:59 to 838:59:59.
    "time": ColumnType(WarehouseText("time", short=True), CHAR),
    **{
        name: ColumnType(WarehouseText(name, short=True), CHAR)
        for name in ("uuid", "inet4", "inet6")
    },
}

SHAPES = ("point", "linestring", "polygon")
GEOMETRIES = ("geometry", "geometrycollection", *SHAPES, *(f"multi{shape}" for shape in SHAPES))
CASTS = dict.fromkeys(GEOMETRIES, "ST_AsText({})")

STANDARD: dict[str, ColumnType] = {
    "text": ColumnType(T.StringType()),
    "binary": ColumnType(T.BinaryType()),
    "integer": ColumnType(T.LongType()),
    "bigint": ColumnType(T.LongType()),
    "double": ColumnType(T.DoubleType()),
    "real": ColumnType(T.FloatType()),
    "boolean": ColumnType(T.BooleanType()),
}


def source_type(column: Column, kind: str, is_partition: bool = False) -> ColumnType:
    """How a database of this kind reads the column; a whole partition is read as an integer.

    So a number that no integer holds becomes an error, or a partition that is out of range.
    """
    name = column.type.lower().removesuffix(" unsigned")
    is_unsigned = column.type.lower() == "bigint unsigned"
    if is_partition and (is_unsigned or (name == "decimal" and not column.scale)):
        return ColumnType(T.LongType(), SHORT if kind == "standard" else SIGNED)
    if is_unsigned:
        return ColumnType(BIGINT_UNSIGNED)
    if name == "decimal":
        return _decimal(column, kind)
    known = STANDARD if kind == "standard" else MARIADB
    cast = "cast({} as varchar(100))" if kind == "standard" else CASTS.get(name, "cast({} as char)")
    unknown = ColumnType(Unreadable(column.type, cast.format(column.name)), "null")
    return known.get(name, unknown)


def _decimal(column: Column, kind: str) -> ColumnType:
    if 0 < column.precision <= DECIMAL_DIGITS and 0 <= column.scale <= column.precision:
        return ColumnType(T.DecimalType(column.precision, column.scale))
    if kind == "standard":
        cast = f"cast({column.name} as decimal({DECIMAL_DIGITS}, 10))"
        return ColumnType(Unreadable(f"decimal({column.precision}, {column.scale})", cast), "null")
    return ColumnType(NumberText(), FRACTION if column.scale else NUMBER)


def spark_type(type_: ColumnType) -> str:
    """The type with which Spark reads the column, whatever its dialect for the database."""
    return "string" if isinstance(type_.dtype, TEXTS) else type_.dtype.simpleString()
