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
    """1 byte, 1 for every two digits, 1 for a minus sign; outer zeros are free."""

    def bytes_of(text: Column) -> Column:
        return number_text.pairs(text) + text.startswith("-").cast("int") + 1

    digits = number(value, dtype)
    if isinstance(dtype, FLOATS):
        # Spark computes the digits wherever they are named, but an element of an array once.
        return F.transform(F.array(digits), bytes_of)[0]
    return bytes_of(digits)
