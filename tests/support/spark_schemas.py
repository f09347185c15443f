"""Schemas of Spark, written as SQL types."""

from pyspark.sql import SparkSession
from pyspark.sql import types as T


def struct_of(**types: str) -> T.StructType:
    ddl = ", ".join(f"`{name}` {kind}" for name, kind in types.items())
    return SparkSession.active().createDataFrame([], ddl).schema
