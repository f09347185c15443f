"""Values → DynamoDB JSON, by Spark SQL expressions: Python never handles a single value.

Each function maps a column and its type to a column, so that Spark compiles them into the stage of
the scan. The form is that of the low-level API, for example `{"S":"85123A"}`:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
"""

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from loader.items.attribute_types import FLOATS, attribute_type
from loader.items.json_text import json_text

NULL = '{"NULL":true}'


def column(name: str) -> Column:
    """The column of exactly this name, which may have any characters."""
    return F.col("`" + name.replace("`", "``") + "`")


def fragment(value: Column, dtype: T.DataType) -> Column:
    """The DynamoDB JSON of a value, for example `{"N":"7"}`; null for null.

    Inside a list or a map a null is `{"NULL":true}`, as boto3's TypeSerializer writes None.
    """
    type_ = attribute_type(dtype)
    if type_ == "S":
        # to_json escapes only the characters that JSON requires; measured at 0.12 µs per row.
        return F.when(value.isNotNull(), F.to_json(F.struct(text(value, dtype).alias("S"))))
    if type_ in ("N", "B"):
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
        return F.concat(F.lit('{"M":{'), F.array_join(entries, ","), F.lit("}}"))
    if type_ and isinstance(dtype, T.StructType):
        fields = [
            F.concat(F.lit(json_text(f.name) + ":"), _nested(value.getField(f.name), f.dataType))
            for f in dtype.fields
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
        return json_string(text(value, dtype))
    if type_ == "N":
        return F.concat(F.lit('"'), number(value, dtype), F.lit('"'))
    if type_ == "B":
        # Some Spark versions fold base64 into lines of 76 characters.
        base64 = F.replace(F.base64(value), F.lit("\r\n"), F.lit(""))
        return F.concat(F.lit('"'), base64, F.lit('"'))
    raise TypeError(f"a set of DynamoDB cannot hold {dtype.simpleString()}")


def text(value: Column, dtype: T.DataType) -> Column:
    """Strings unchanged; dates and timestamps in ISO 8601, with Z if they have a zone.

    The session's time zone must be UTC.
    """
    if isinstance(dtype, (T.StringType, T.DateType)):
        return value.cast("string")
    iso = F.replace(value.cast("string"), F.lit(" "), F.lit("T"))
    return F.concat(iso, F.lit("Z")) if isinstance(dtype, T.TimestampType) else iso


def number(value: Column, dtype: T.DataType) -> Column:
    """The exact digits of a number: a decimal keeps its scale, -0.0 becomes 0.0."""
    if isinstance(dtype, FLOATS):
        return (value + F.lit(0.0).cast(dtype)).cast("string")
    return value.cast("string")


def json_string(value: Column) -> Column:
    """The JSON string of a text; null for null."""
    in_array = F.to_json(F.array(value))
    return F.when(value.isNotNull(), F.regexp_replace(in_array, r"(?s)\A\[(.*)\]\z", "$1"))
