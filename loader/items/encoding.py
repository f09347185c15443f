"""Values → DynamoDB JSON, by Spark SQL expressions: Python never handles a single value.

Each function maps a column and its type to a column, so that Spark compiles them into the stage of
the scan. The form is that of the low-level API, for example `{"S":"85123A"}`:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
"""

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from loader.items import date_text, number_text
from loader.items.attribute_types import FLOATS, attribute_type, is_text
from loader.items.json_text import json_text

NULL = '{"NULL":true}'
# Java writes a decimal that is nearer to 0 than 1E-6 with an exponent, unless Spark asks for none:
# https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/math/BigDecimal.html#toString()
PLAIN_SCALE = 6
# https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/lang/Double.html#toString(double)
PLAIN_FLOAT = (1e-3, 1e7)
# Up to here every whole number is a double, so its own digits are the shortest.
EXACT = 2.0**53
SCHUBFACH = "com.fasterxml.jackson.core.io.schubfach"


def column(name: str) -> Column:
    """The column of exactly this name, which may have any characters."""
    return F.col("`" + name.replace("`", "``") + "`")


def fragment(value: Column, dtype: T.DataType) -> Column:
    """The DynamoDB JSON of a value, for example `{"N":"7"}`; null for null.

    Inside a list or a map a null is `{"NULL":true}`, as boto3's TypeSerializer writes None. The
    entries of a map are in the order of their JSON (items/canonical.py).
    """
    type_ = attribute_type(dtype)
    if is_text(dtype):
        # to_json escapes only the characters that JSON requires; measured at 0.12 µs per row.
        return F.when(value.isNotNull(), F.to_json(F.struct(value.alias("S"))))
    if type_ in ("S", "N", "B"):
        return F.concat(F.lit(f'{{"{type_}":'), scalar(value, dtype), F.lit("}"))
    if type_ == "BOOL":
        return F.concat(F.lit('{"BOOL":'), value.cast("string"), F.lit("}"))
    if type_ and isinstance(dtype, T.ArrayType):
        element = dtype.elementType
        elements = F.transform(value, lambda e: _nested(e, element))
        return F.concat(F.lit('{"L":['), F.array_join(elements, ","), F.lit("]}"))
    if type_ and isinstance(dtype, T.MapType):
        inner = dtype.valueType
        entries = F.transform(
            F.map_entries(value),
            lambda e: F.concat(json_string(e["key"]), F.lit(":"), _nested(e["value"], inner)),
        )
        return F.concat(F.lit('{"M":{'), F.array_join(F.sort_array(entries), ","), F.lit("}}"))
    if type_ and isinstance(dtype, T.StructType):
        fields = [
            F.concat(F.lit(json_text(f.name) + ":"), _nested(value.getField(f.name), f.dataType))
            for f in sorted(dtype.fields, key=lambda f: json_text(f.name))
        ]
        body = F.concat(F.lit('{"M":{'), F.concat_ws(",", *fields), F.lit("}}"))
        return F.when(value.isNotNull(), body)
    raise TypeError(f"DynamoDB has no type for {dtype.simpleString()}")


def _nested(value: Column, dtype: T.DataType) -> Column:
    return F.coalesce(fragment(value, dtype), F.lit(NULL))


def scalar(value: Column, dtype: T.DataType) -> Column:
    """The JSON string inside S, N or B, for example `"7"`, which is also an element of a set."""
    type_ = attribute_type(dtype)
    if type_ == "S":
        if is_text(dtype):
            return json_string(value)
        # A date or a time has no character that JSON escapes.
        return F.concat(F.lit('"'), text(value, dtype), F.lit('"'))
    if type_ == "N":
        return F.concat(F.lit('"'), number(value, dtype), F.lit('"'))
    if type_ == "B":
        # Some Spark versions fold base64 into lines of 76 characters.
        base64 = F.replace(F.base64(value), F.lit("\r\n"), F.lit(""))
        return F.concat(F.lit('"'), base64, F.lit('"'))
    raise TypeError(f"a set of DynamoDB cannot hold {dtype.simpleString()}")


def text(value: Column, dtype: T.DataType) -> Column:
    """Strings unchanged; dates and times in ISO 8601."""
    return value if is_text(dtype) else date_text.iso(value, dtype)


def number(value: Column, dtype: T.DataType) -> Column:
    """The canonical text of a number: all its digits, and no zeros that can be left out."""
    if isinstance(dtype, FLOATS):
        return _float_text(value, dtype)
    text = value.cast("string")
    if not isinstance(dtype, T.DecimalType) or not dtype.scale:
        return text
    plain = number_text.without_zeros(text)
    if dtype.scale <= PLAIN_SCALE:
        return plain
    return F.when(text.contains("E"), number_text.without_exponent(text)).otherwise(plain)


def _float_text(value: Column, dtype: T.DataType) -> Column:
    """The shortest digits of a float."""
    magnitude = F.abs(value)
    # Java writes a number of this range without an exponent, and one with a fraction without zeros.
    lowest, highest = (F.lit(limit).cast(dtype) for limit in PLAIN_FLOAT)
    digits = _digits(value, dtype)
    return (
        F.when((F.rint(value) == value) & (magnitude < EXACT), value.cast("long").cast("string"))
        .when((magnitude >= lowest) & (magnitude < highest), digits)
        # Spark computes the digits wherever they are named, but an element of an array once.
        .otherwise(F.transform(F.array(digits), _plain)[0])
    )


def _plain(text: Column) -> Column:
    return F.when(text.contains("E"), number_text.without_exponent(text)).otherwise(text)


def _digits(value: Column, dtype: T.DataType) -> Column:
    """Java's text of a float, with the shortest digits.

    The JVM's own digits are not always the shortest before Java 19, so one value would have two
    texts: https://bugs.openjdk.org/browse/JDK-4511638. Spark brings Jackson, which has this method.
    """
    zero = F.lit(0.0).cast(dtype)
    name = "FloatToDecimal" if isinstance(dtype, T.FloatType) else "DoubleToDecimal"
    # The method takes no null.
    digits = F.reflect(F.lit(f"{SCHUBFACH}.{name}"), F.lit("toString"), F.coalesce(value, zero))
    return F.when(value.isNotNull(), digits)


def json_string(value: Column) -> Column:
    """The JSON string of a text; null for null."""
    in_array = F.to_json(F.array(value))
    return F.when(value.isNotNull(), F.regexp_replace(in_array, r"(?s)\A\[(.*)\]\z", "$1"))
