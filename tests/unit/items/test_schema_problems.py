from pyspark.sql import types as T

from loader.items.export import Export, Relation
from loader.items.schema_problems import schema_problems

EXPORT = Export("e", "m", Relation("db", "analytics", "m"), "t", ("user",), "p", 4)


def test_a_struct_without_fields_cannot_be_a_key() -> None:
    schema = T.StructType().add("user", T.StructType()).add("p", T.IntegerType())

    assert schema_problems(EXPORT, schema) == [
        "column user of analytics.m must be a string, integer, decimal, date, timestamp or binary "
        "to be a key, got struct<>: cast it in the model"
    ]
