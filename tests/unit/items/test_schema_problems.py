from pyspark.sql import types as T

from loader.items.schema_problems import schema_problems
from tests.support.exports import SHORT


def test_a_struct_without_fields_cannot_be_a_key() -> None:
    schema = T.StructType().add("user", T.StructType()).add("p", T.IntegerType())

    assert schema_problems(SHORT, schema) == [
        "column user of analytics.m must be a string, integer, decimal, date, timestamp or binary "
        "to be a key, got struct<>: cast it in the model"
    ]
