"""The types of a view's columns, and the SQL that reads each of them exactly.

A date, a time or a timestamp is read as the warehouse's text, because a JVM has another calendar
before 1582 and a time zone of its own. So is a number that no decimal of Spark holds. The drivers
set DateStyle to ISO when they connect; no text depends on the time zone of the session.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column as SparkColumn
from pyspark.sql import functions as F
from pyspark.sql import types as T

from loader.items.text_types import NumberText, TimeOfDay, Unreadable, WarehouseText
from loader.warehouse.columns import Column

SUPER = WarehouseText("super", key=False)
# Names of the drivers for types that they hand over exactly.
PLAIN: dict[str, T.DataType] = {
    "int2": T.ShortType(),
    "smallserial": T.ShortType(),
    "int4": T.IntegerType(),
    "serial": T.IntegerType(),
    "int8": T.LongType(),
    "bigserial": T.LongType(),
    "oid": T.DecimalType(20, 0),
    "float4": T.FloatType(),
    "float8": T.DoubleType(),
    "bool": T.BooleanType(),
    "bytea": T.BinaryType(),
    "varbyte": T.BinaryType(),
    "varchar": T.StringType(),
    "bpchar": T.StringType(),
    "text": T.StringType(),
    "name": T.StringType(),
    "char": T.StringType(),
    "citext": T.StringType(),
    # The type of a text in the query of a Redshift view, as in `'shop' as source`.
    "unknown": T.StringType(),
    # The driver returns the JSON text.
    "super": SUPER,
}
AS_TEXT: dict[str, tuple[T.DataType, str]] = {
    "date": (T.DateType(), "cast({} as varchar)"),
    "timestamp": (T.TimestampNTZType(), "cast({} as varchar)"),
    "timestamptz": (T.TimestampType(), "cast({} at time zone 'UTC' as varchar)"),
    "time": (TimeOfDay(), "cast({} as varchar)"),
    "timetz": (WarehouseText("timetz", short=True), "cast({} as varchar)"),
    "uuid": (WarehouseText("uuid", ordered=True, short=True), "cast({} as varchar)"),
}
ARRAY_AS_TEXT = {
    "timestamptz": "case when {0} is not null then array(select cast(e at time zone 'UTC' as "
    "varchar) from unnest({0}) with ordinality as u (e, n) order by n) end",
    "numeric": "case when {0} is not null then array(select cast(trim_scale(e) as varchar) "
    "from unnest({0}) with ordinality as u (e, n) order by n) end",
}
# Spark reads an array of arrays as a list of names of Java objects if PostgreSQL does not know the
# dimensions, as in a view: so the cast to int fails, and its message has the value.
ONE_DIMENSION = (
    "case when case when array_ndims({0}) > 1 then cast('an array of arrays, to be read as "
    "to_jsonb(): ' || cast({0} as varchar) as int) end is null then %s end"
)
# PostgreSQL's output of any type; a cast of inet, for example, is another text.
OUTPUT = "case when {0} is null then null else format('%s', {0}) end"
# Casts that help for types of Redshift; others can be cast to varchar.
CASTS = {
    "geometry": "ST_AsText({})",
    "geography": "ST_AsText({})",
    "hllsketch": "hll_cardinality({})",
    # The part `month` is what is left after whole years.
    "intervaly2m": "extract(year from {0}) * 12 + extract(month from {0})",
    "intervald2s": "extract(epoch from {})",
}
DECIMAL_DIGITS = 38
# A text's longest length, where Spark's JDBC source keeps it too.
DECLARED = "__CHAR_VARCHAR_TYPE_STRING"
UNBOUNDED = 2**31 - 1


@dataclass(frozen=True)
class ColumnType:
    """How a column is read: `dtype` is its type for the loader, `sql` the expression."""

    dtype: T.DataType
    sql: str = "{}"

    def expression(self, name: str) -> str:
        return self.sql.format(name)

    def value(self, column: SparkColumn) -> SparkColumn:
        """What the driver returns as a value; the text of JSON's null is null."""
        return F.when(column != "null", column) if self.dtype is SUPER else column

    @property
    def is_plain(self) -> bool:
        return self.sql == "{}"


def column_type(column: Column, kind: str) -> ColumnType:
    """How a warehouse of this kind reads the column."""
    name = column.type
    if name == "numeric":
        return _numeric(column, kind)
    if name == "float4" and kind == "redshift":
        # Spark reads the warehouse's digits as a double, which keeps them.
        return ColumnType(T.DoubleType())
    if name in PLAIN:
        return ColumnType(PLAIN[name])
    if name in AS_TEXT:
        return ColumnType(*AS_TEXT[name])
    if kind == "redshift":
        cast = CASTS.get(name, "cast({} as varchar)")
        return ColumnType(Unreadable(name, cast.format(column.name)), "cast(null as varchar)")
    if name.startswith("_"):
        return _array(name[1:])
    return ColumnType(WarehouseText(name), OUTPUT)


def _numeric(column: Column, kind: str) -> ColumnType:
    """Redshift's numeric fits a decimal; PostgreSQL's may be NaN, or have no limit of digits."""
    bounded = 0 < column.precision <= DECIMAL_DIGITS and 0 <= column.scale <= column.precision
    if kind == "redshift" and bounded:
        return ColumnType(T.DecimalType(column.precision, column.scale))
    return ColumnType(NumberText(), "cast(trim_scale({}) as varchar)")


def _array(element: str) -> ColumnType:
    """An array of PostgreSQL; Redshift has none."""
    if element in PLAIN:
        dtype, sql = PLAIN[element], "{0}"
        if not isinstance(dtype, T.StringType):
            return ColumnType(T.ArrayType(dtype))
    elif element == "numeric":
        dtype, sql = NumberText(), ARRAY_AS_TEXT[element]
    else:
        dtype = AS_TEXT[element][0] if element in AS_TEXT else WarehouseText(element)
        sql = ARRAY_AS_TEXT.get(element, "cast({0} as varchar[])")
    return ColumnType(T.ArrayType(dtype), ONE_DIMENSION % sql)


def schema_of(
    columns: Sequence[Column], types: Sequence[ColumnType], has_lengths: bool = True
) -> T.StructType:
    """The columns as the loader uses them; `has_lengths` is whether texts have theirs in bytes."""
    fields = []
    for column, type_ in zip(columns, types, strict=True):
        is_text = has_lengths and isinstance(type_.dtype, T.StringType)
        bounded = is_text and 0 < column.precision < UNBOUNDED
        metadata = {DECLARED: f"varchar({column.precision})"} if bounded else {}
        fields.append(T.StructField(column.name, type_.dtype, metadata=metadata))
    return T.StructType(fields)


def with_dimensions(schema: T.StructType, read: T.StructType) -> T.StructType:
    """The schema with the arrays as Spark reads them: it asks PostgreSQL for their dimensions."""
    fields = [
        T.StructField(field.name, _with_dimensions(field.dataType, read[field.name].dataType))
        if isinstance(field.dataType, T.ArrayType)
        else field
        for field in schema.fields
    ]
    return T.StructType(fields)


def _with_dimensions(dtype: T.DataType, read: T.DataType) -> T.DataType:
    """Arrays of arrays, as deep as `read`, of the elements of `dtype`."""
    if not isinstance(read, T.ArrayType):
        return dtype.elementType if isinstance(dtype, T.ArrayType) else dtype
    return T.ArrayType(_with_dimensions(dtype, read.elementType))
