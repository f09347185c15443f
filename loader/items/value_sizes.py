"""Bytes that DynamoDB counts for a value, as Spark SQL expressions.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as T

from loader.items import number_text
from loader.items.attribute_types import FLOATS, attribute_type
from loader.items.encoding import number, text
from loader.items.limits import CONTAINER_BYTES, ELEMENT_BYTES
from loader.items.number_text import OUTER_PAIRS
from loader.items.text_types import NumberText

LONG_DIGITS = 19
# Java prints a float without an exponent from 1E-3 up to 1E7, with 17 digits at most, and a
# decimal with an exponent if it is nearer to 0 than 1E-6:
# https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/lang/Double.html#toString(double)
# https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/math/BigDecimal.html#toString()
PLAIN_FLOAT = (8, 22)
PLAIN_SCALE = 6


def size(value: Column, dtype: T.DataType) -> Column:
    """Bytes of a value without its attribute's name; null counts 1 byte."""
    if isinstance(dtype, T.ArrayType):
        element = dtype.elementType
        elements = F.aggregate(value, F.lit(0), lambda a, e: a + size(e, element) + ELEMENT_BYTES)
        return F.coalesce(elements + CONTAINER_BYTES, F.lit(1))
    if isinstance(dtype, T.MapType):
        inner = dtype.valueType
        elements = F.aggregate(
            F.map_entries(value),
            F.lit(0),
            lambda a, e: a + F.octet_length(e["key"]) + size(e["value"], inner) + ELEMENT_BYTES,
        )
        return F.coalesce(elements + CONTAINER_BYTES, F.lit(1))
    if isinstance(dtype, T.StructType):
        fields = [
            size(value.getField(f.name), f.dataType) + len(f.name.encode()) + ELEMENT_BYTES
            for f in dtype.fields
        ]
        all_fields = total([*fields, F.lit(CONTAINER_BYTES)])
        return F.when(value.isNotNull(), all_fields).otherwise(F.lit(1))
    type_ = attribute_type(dtype)
    if type_ == "S":
        bytes_ = F.octet_length(text(value, dtype))
    elif type_ == "N":
        bytes_ = _number_size(value, dtype)
    elif type_ == "B":
        bytes_ = F.octet_length(value)
    else:
        bytes_ = F.lit(1)
    return F.coalesce(bytes_, F.lit(1))


def total(terms: Sequence[Column]) -> Column:
    """The sum, as a tree that is no deeper than it must be: Spark visits a tree recursively."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return total(terms[:half]) + total(terms[half:])


def _number_size(value: Column, dtype: T.DataType) -> Column:
    """1 byte, 1 for every two digits, 1 for a minus sign; outer zeros are free.

    The pairs of digits start at the decimal point, so 12 is one pair and 1.2 is two. Amazon's page
    leaves that out; paritysuite/dynamodb-conformance (numberByteSize.test.ts) measured it.
    """
    if isinstance(dtype, NumberText):
        return number_text.pairs(value) + value.startswith("-").cast("int") + 1
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
    # Zeros on both sides make the number of digits even before and after the point.
    pairs = F.shiftright(F.length(F.regexp_replace(aligned, OUTER_PAIRS, "")), 1)
    if isinstance(dtype, FLOATS) or (isinstance(dtype, T.DecimalType) and scale > PLAIN_SCALE):
        pairs = F.when(digits.contains("E"), _scientific_pairs(digits)).otherwise(pairs)
    return pairs + sign + 1


def _scientific_pairs(digits: Column) -> Column:
    """Pairs of a text like 1.205E-30, from that of its first digit to that of its last."""
    figures = F.regexp_replace(F.substring_index(digits, "E", 1), r"^-|\.?0*$|\.", "")
    # A text without an exponent needs one for the cast; it is never used.
    exponent = F.when(digits.contains("E"), F.substring_index(digits, "E", -1)).otherwise("0")
    first = exponent.cast("int")
    last = first - F.length(figures) + 1
    pairs = F.shiftright(first, 1) - F.shiftright(last, 1) + 1
    return F.when(figures == "", F.lit(0)).otherwise(pairs)
