from typing import Any

import pytest
from pyspark.sql import types as T

from loader.items.text_types import WarehouseText
from loader.plan.batch_size import batch_settings
from loader.warehouse.column_types import AS_TEXT, SUPER

ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
BYTES = "spark.sql.execution.arrow.maxBytesPerBatch"


def schema(*declared: T.DataType | str | None) -> T.StructType:
    """A column of each type; a text for what is declared, as Spark keeps it, or for None."""
    struct = T.StructType()
    for number, type_ in enumerate(declared):
        if isinstance(type_, T.DataType):
            struct.add(f"c{number}", type_)
        else:
            metadata: dict[str, Any] = {"__CHAR_VARCHAR_TYPE_STRING": type_} if type_ else {}
            struct.add(f"c{number}", T.StringType(), metadata=metadata)
    return struct


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param(("varchar(256)", "char(5)"), id="of short texts"),
        pytest.param(
            (T.IntegerType(), T.DecimalType(38, 0), T.TimestampNTZType()), id="of scalars"
        ),
        pytest.param((AS_TEXT["uuid"][0], AS_TEXT["timetz"][0]), id="of uuid and timetz"),
        pytest.param(("varchar(13421)",), id="at the bound"),
    ],
)
def test_rows_that_their_types_bound_are_not_counted(declared: tuple[Any, ...]) -> None:
    assert batch_settings(schema(*declared)) == {ROWS: "20000", BYTES: "2147483647"}


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param(("varchar(13422)",), id="beyond the bound"),
        pytest.param(("varchar(13400)", T.IntegerType()), id="beyond it together"),
        pytest.param(("varchar(2147483647)",), id="of a text without a length in PostgreSQL"),
        pytest.param(("varchar(5)", None), id="of a text without a length"),
        pytest.param((SUPER,), id="of super"),
        pytest.param((WarehouseText("jsonb"),), id="of another type of PostgreSQL"),
        pytest.param((T.BinaryType(),), id="of bytes"),
        pytest.param((T.ArrayType(T.IntegerType()),), id="of lists"),
    ],
)
def test_batches_that_may_grow_end_at_64_mb(declared: tuple[Any, ...]) -> None:
    assert batch_settings(schema(*declared)) == {ROWS: "20000", BYTES: "67108864"}
