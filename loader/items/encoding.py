"""Spark types → DynamoDB JSON, by Spark SQL expressions only: Python never sees a single value.

Each function maps a column and its type to a column, so that Spark compiles them into the scan's
own stage. The form is that of the low-level API, for example `{"S":"85123A"}`:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
Sizes follow the rules of an item's size:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from loader.items.json_text import json_text
from loader.items.limits import CONTAINER_BYTES, ELEMENT_BYTES, NUMBER_TOO_LARGE, NUMBER_TOO_SMALL

NULL = '{"NULL":true}'
LONG_DIGITS = 19
# Java prints a float without an exponent from 1E-3 up to 1E7, with 17 digits at most, and a
# decimal with one where it is nearer to 0 than 1E-6:
# https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/lang/Double.html#toString(double)
# https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/math/BigDecimal.html#toString()
PLAIN_FLOAT = (8, 22)
PLAIN_SCALE = 6
OUTER_PAIRS = r"^(?:00|\.)+|(?:00|\.)+$|\."

INTEGERS = (T.ByteType, T.ShortType, T.IntegerType, T.LongType)
FLOATS = (T.FloatType, T.DoubleType)
NUMBERS = (*INTEGERS, *FLOATS, T.DecimalType)
TEXTS = (T.StringType, T.DateType, T.TimestampType, T.TimestampNTZType)


def column(name: str) -> Column:
    """The column of that very name, whatever characters it has."""
    return F.col("`" + name.replace("`", "``") + "`")


def attribute_type(dtype: T.DataType) -> str | None:
    """DynamoDB's type for a Spark type (S, N, B, BOOL, L, M), or None where it has none."""
    if isinstance(dtype, TEXTS):
        return "S"
    if isinstance(dtype, NUMBERS):
        return "N"
    if isinstance(dtype, T.BinaryType):
        return "B"
    if isinstance(dtype, T.BooleanType):
        return "BOOL"
    if isinstance(dtype, T.ArrayType):
        return "L" if attribute_type(dtype.elementType) else None
    if isinstance(dtype, T.MapType):
        text_key = isinstance(dtype.keyType, T.StringType)
        return "M" if text_key and attribute_type(dtype.valueType) else None
    if isinstance(dtype, T.StructType):
        return "M" if all(attribute_type(f.dataType) for f in dtype.fields) else None
    return None


def fragment(value: Column, dtype: T.DataType) -> Column:
    """The DynamoDB JSON of a value, for example `{"N":"7"}`; null for null.

    Inside a list or a map a null is `{"NULL":true}`, as boto3's TypeSerializer writes None.
    """
    type_ = attribute_type(dtype)
    if type_ == "S":
        # to_json escapes as JSON asks and copies the rest; measured at 0.12 µs a row.
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
    """The JSON string inside S, N or B, for example `"7"`: what a set's element looks like."""
    type_ = attribute_type(dtype)
    if type_ == "S":
        return json_string(text(value, dtype))
    if type_ == "N":
        return F.concat(F.lit('"'), number(value, dtype), F.lit('"'))
    if type_ == "B":
        # Some Spark versions fold base64 into lines of 76 characters.
        return F.concat(
            F.lit('"'), F.replace(F.base64(value), F.lit("\r\n"), F.lit("")), F.lit('"')
        )
    raise TypeError(f"a set of DynamoDB cannot hold {dtype.simpleString()}")


def text(value: Column, dtype: T.DataType) -> Column:
    """Strings as they are; dates and timestamps in ISO 8601, with Z where they have a zone.

    The session's time zone must be UTC.
    """
    if isinstance(dtype, (T.StringType, T.DateType)):
        return value.cast("string")
    iso = F.replace(value.cast("string"), F.lit(" "), F.lit("T"))
    return F.concat(iso, F.lit("Z")) if isinstance(dtype, T.TimestampType) else iso


def number(value: Column, dtype: T.DataType) -> Column:
    """The digits of a number, exact: a decimal keeps its scale, -0.0 becomes 0.0."""
    if isinstance(dtype, FLOATS):
        return (value + F.lit(0.0).cast(dtype)).cast("string")
    return value.cast("string")


def json_string(value: Column) -> Column:
    """The JSON string of a text; null for null."""
    in_array = F.to_json(F.array(value))
    return F.when(value.isNotNull(), F.regexp_replace(in_array, r"(?s)\A\[(.*)\]\z", "$1"))


def size(value: Column, dtype: T.DataType) -> Column:
    """Bytes that DynamoDB counts for a value without its attribute's name; null counts 1 byte."""
    if isinstance(dtype, T.ArrayType):
        element = dtype.elementType
        total = F.aggregate(value, F.lit(0), lambda a, e: a + size(e, element) + ELEMENT_BYTES)
        return F.coalesce(total + CONTAINER_BYTES, F.lit(1))
    if isinstance(dtype, T.MapType):
        inner = dtype.valueType
        total = F.aggregate(
            F.map_entries(value),
            F.lit(0),
            lambda a, e: a + F.octet_length(e["key"]) + size(e["value"], inner) + ELEMENT_BYTES,
        )
        return F.coalesce(total + CONTAINER_BYTES, F.lit(1))
    if isinstance(dtype, T.StructType):
        fields = [
            size(value.getField(f.name), f.dataType) + len(f.name.encode()) + ELEMENT_BYTES
            for f in dtype.fields
        ]
        total = reduce(Column.__add__, fields, F.lit(CONTAINER_BYTES))
        return F.when(value.isNotNull(), total).otherwise(F.lit(1))
    type_ = attribute_type(dtype)
    if type_ == "S":
        counted = F.octet_length(text(value, dtype))
    elif type_ == "N":
        counted = _number_size(value, dtype)
    elif type_ == "B":
        counted = F.octet_length(value)
    else:
        counted = F.lit(1)
    return F.coalesce(counted, F.lit(1))


def _number_size(value: Column, dtype: T.DataType) -> Column:
    """1 byte, 1 for every two digits, 1 for a minus sign; outer zeros are free.

    The pairs of digits start at the decimal point, so 12 is one of them and 1.2 is two. Amazon's
    page leaves that out; paritysuite/dynamodb-conformance (numberByteSize.test.ts) measured it.
    """
    digits = number(value, dtype)
    sign = digits.startswith("-").cast("int")
    unsigned = F.replace(digits, F.lit("-"), F.lit(""))
    if isinstance(dtype, FLOATS):
        before = F.lpad(F.substring_index(unsigned, ".", 1), PLAIN_FLOAT[0], "0")
        behind = F.rpad(F.substring_index(unsigned, ".", -1), PLAIN_FLOAT[1], "0")
        aligned = F.concat(before, behind)
    else:
        whole, scale = LONG_DIGITS, 0
        if isinstance(dtype, T.DecimalType):
            whole, scale = max(1, dtype.precision - dtype.scale), dtype.scale
        width = whole + whole % 2 + (1 + scale if scale else 0)
        aligned = F.concat(F.lpad(unsigned, width, "0"), F.lit("0" * (scale % 2)))
    # Zeros stand on both sides, for an even number of digits before the point and behind it.
    pairs = F.shiftright(F.length(F.regexp_replace(aligned, OUTER_PAIRS, "")), 1)
    if isinstance(dtype, FLOATS) or (isinstance(dtype, T.DecimalType) and scale > PLAIN_SCALE):
        pairs = F.when(digits.contains("E"), _scientific_pairs(digits)).otherwise(pairs)
    return pairs + sign + 1


def _scientific_pairs(digits: Column) -> Column:
    """Of a text like 1.205E-30: from the pair of its last digit to the pair of its first."""
    figures = F.regexp_replace(F.substring_index(digits, "E", 1), r"^-|\.?0*$|\.", "")
    # The exponent of a text without one is never used, but it is cast.
    exponent = F.when(digits.contains("E"), F.substring_index(digits, "E", -1)).otherwise("0")
    first = exponent.cast("int")
    last = first - F.length(figures) + 1
    pairs = F.shiftright(first, 1) - F.shiftright(last, 1) + 1
    return F.when(figures == "", F.lit(0)).otherwise(pairs)


def levels(dtype: T.DataType) -> int:
    """How deep a value of the type is nested; 1 for a scalar."""
    if isinstance(dtype, T.ArrayType):
        return 1 + levels(dtype.elementType)
    if isinstance(dtype, T.MapType):
        return 1 + levels(dtype.valueType)
    if isinstance(dtype, T.StructType):
        return 1 + max((levels(f.dataType) for f in dtype.fields), default=0)
    return 1


def problem(value: Column, dtype: T.DataType, name: str) -> Column | None:
    """Why DynamoDB would not take the value, null where it would; None if that cannot happen."""
    if isinstance(dtype, FLOATS):
        magnitude = F.abs(value.cast("double"))
        outside = (magnitude >= NUMBER_TOO_LARGE) | (
            (magnitude < NUMBER_TOO_SMALL) & (magnitude > 0)
        )
        return F.when(
            F.isnan(value) | outside,
            F.concat(
                F.lit(f"{name} must be a number DynamoDB can hold, got "), value.cast("string")
            ),
        )
    inner = {T.ArrayType: "elementType", T.MapType: "valueType"}.get(type(dtype))
    if inner:
        element = getattr(dtype, inner)
        if problem(F.lit(None), element, name) is None:
            return None
        values = value if isinstance(dtype, T.ArrayType) else F.map_values(value)
        # The first of F.filter cannot be taken inside another lambda before Spark 4.
        return F.aggregate(
            values,
            F.lit(None).cast("string"),
            lambda known, e: F.coalesce(known, problem(e, element, name)),  # type: ignore[arg-type]
        )
    if isinstance(dtype, T.StructType):
        found_in = [problem(value.getField(f.name), f.dataType, f"{name}.{f.name}") for f in dtype]
        causes = [cause for cause in found_in if cause is not None]
        return F.coalesce(*causes) if causes else None
    return None
