"""Values of `order_by` → columns that Spark sorts as the warehouse sorts the values."""

from pyspark.sql import Column
from pyspark.sql import types as T

from loader.items import date_text, number_text
from loader.items.text_types import DATES, NumberText, Unreadable, WarehouseText


def is_ordered(dtype: T.DataType) -> bool:
    """Whether the loader knows the order of the values."""
    if isinstance(dtype, WarehouseText):
        return dtype.ordered
    return not isinstance(dtype, Unreadable)


def sort_columns(value: Column, dtype: T.DataType) -> list[Column]:
    """The columns to sort by, in ascending order; a text sorts by its bytes."""
    if isinstance(dtype, NumberText):
        return number_text.sort_columns(value)
    return [date_text.sort_text(value) if isinstance(dtype, DATES) else value]
