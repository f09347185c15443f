"""The size of the Arrow batches in which rows go from the JVM to Python."""

import re

from pyspark.sql import types as T

from loader.items.text_types import WarehouseText

ROWS = 20_000
# Memory holds a batch two or three times: as rows, as encoded rows, as items.
BYTES = 256 << 20
# Only for rows that can be long, because counting bytes takes a sixth of the CPU of a read: Spark
# does it before each row (docs/decisions/0007).
COUNTED_BYTES = 64 << 20
NOT_COUNTED = 2**31 - 1
# Upper limit for a number, date or timestamp with all its digits.
SCALAR_BYTES = 64
# Spark keeps the length of a varchar(256), which is in bytes in Redshift, in the field's metadata.
DECLARED = "__CHAR_VARCHAR_TYPE_STRING"
LENGTH = re.compile(r"(?:var)?char\((\d+)\)")


def batch_settings(schema: T.StructType) -> dict[str, str]:
    """Spark's settings for reading rows of the schema; Spark 3.5 ignores the second."""
    longest = [_longest(field) for field in schema.fields]
    bounded = all(longest) and sum(longest) * ROWS <= BYTES
    return {
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(ROWS),
        "spark.sql.execution.arrow.maxBytesPerBatch": str(
            NOT_COUNTED if bounded else COUNTED_BYTES
        ),
    }


def _longest(field: T.StructField) -> int:
    """The most bytes that a value of the field can have; 0 if its type has no bound."""
    if isinstance(field.dataType, T.StringType):
        declared = LENGTH.fullmatch(field.metadata.get(DECLARED, ""))
        return int(declared[1]) if declared else 0
    if isinstance(field.dataType, WarehouseText):
        return SCALAR_BYTES if field.dataType.short else 0
    nested = (T.BinaryType, T.ArrayType, T.MapType, T.StructType)
    return 0 if isinstance(field.dataType, nested) else SCALAR_BYTES
