"""Schemas of Spark, written as SQL types."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from loader.items.encoding import column
from loader.items.text_types import DATES


def struct_of(**types: str) -> T.StructType:
    ddl = ", ".join(f"`{name}` {kind}" for name, kind in types.items())
    return SparkSession.active().createDataFrame([], ddl).schema


def as_read(frame: DataFrame) -> DataFrame:
    """Dates and timestamps as the text in which they come from the warehouse."""
    return frame.select(
        *(column(f.name).cast(_as_text(f.dataType)).alias(f.name) for f in frame.schema.fields)
    )


def _as_text(dtype: T.DataType) -> T.DataType:
    if isinstance(dtype, DATES):
        return T.StringType()
    if isinstance(dtype, T.ArrayType):
        return T.ArrayType(_as_text(dtype.elementType))
    if isinstance(dtype, T.MapType):
        return T.MapType(dtype.keyType, _as_text(dtype.valueType))
    if isinstance(dtype, T.StructType):
        return T.StructType([T.StructField(f.name, _as_text(f.dataType)) for f in dtype.fields])
    return dtype
