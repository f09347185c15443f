"""Types of columns → DynamoDB's attribute types."""

from pyspark.sql import types as T

from loader.items.text_types import DATES, NumberText, TimeOfDay, WarehouseText

INTEGERS = (T.ByteType, T.ShortType, T.IntegerType, T.LongType)
FLOATS = (T.FloatType, T.DoubleType)
SCALARS = {
    "S": (T.StringType, *DATES, TimeOfDay, WarehouseText),
    "N": (*INTEGERS, *FLOATS, T.DecimalType, NumberText),
    "B": (T.BinaryType,),
    "BOOL": (T.BooleanType,),
}


def attribute_type(dtype: T.DataType) -> str | None:
    """S, N, B, BOOL, L or M; None if DynamoDB has no such type."""
    for type_, dtypes in SCALARS.items():
        if isinstance(dtype, dtypes):
            return type_
    if isinstance(dtype, T.ArrayType):
        return "L" if attribute_type(dtype.elementType) else None
    if isinstance(dtype, T.MapType):
        text_key = isinstance(dtype.keyType, T.StringType)
        return "M" if text_key and attribute_type(dtype.valueType) else None
    if isinstance(dtype, T.StructType):
        return "M" if all(attribute_type(f.dataType) for f in dtype.fields) else None
    return None


def is_text(dtype: T.DataType) -> bool:
    """Whether the text is the value, as it comes from the warehouse."""
    return isinstance(dtype, (T.StringType, WarehouseText))


def levels(dtype: T.DataType) -> int:
    """How deeply a value is nested; 1 for a scalar."""
    if isinstance(dtype, T.ArrayType):
        return 1 + levels(dtype.elementType)
    if isinstance(dtype, T.MapType):
        return 1 + levels(dtype.valueType)
    if isinstance(dtype, T.StructType):
        return 1 + max((levels(f.dataType) for f in dtype.fields), default=0)
    return 1
