"""Whether a view has the columns and types that its export needs."""

from collections.abc import Callable, Iterable

from pyspark.sql import types as T

from loader.items.attribute_types import FLOATS, INTEGERS, attribute_type, levels
from loader.items.export import Export
from loader.items.limits import LEVELS
from loader.items.sort_order import is_ordered
from loader.items.text_types import Unreadable, WarehouseText

SCALAR_TYPES = ("S", "N", "B")  # of a key, or of an element of a set


def schema_problems(export: Export, schema: T.StructType) -> list[str]:
    """Columns that are missing, or have a type that cannot be used."""
    types = {field.name: field.dataType for field in schema.fields}
    problems = [_missing(export, name, types) for name in export.columns if name not in types]
    unreadable = [name for name in export.columns if isinstance(types.get(name), Unreadable)]
    problems += [_unreadable(export, name, types[name]) for name in unreadable]

    def check(
        names: Iterable[str], allowed: Callable[[T.DataType], bool], rule: str, remedy: str
    ) -> None:
        problems.extend(
            f"column {name} of {export.relation} must be {rule}, "
            f"got {dtype.simpleString()}: {remedy}"
            for name in names
            if name in types and name not in unreadable and not allowed(dtype := types[name])
        )

    lists, sets = ([c.column for c in export.collect if c.kind == k] for k in ("list", "set"))
    check(
        [export.partition_column],
        lambda t: isinstance(t, INTEGERS),
        "an integer",
        "use the macro partition_column()",
    )
    check(
        export.key,
        _may_be_key,
        "a string, integer, decimal, date, timestamp or binary to be a key",
        "cast it in the model",
    )
    check(
        [*export.attributes, *lists],
        lambda t: attribute_type(t) is not None,
        "of a type that DynamoDB can hold",
        "cast it in the model",
    )
    check(
        sets,
        lambda t: attribute_type(t) in SCALAR_TYPES,
        "a string, number or binary to be in a set",
        "cast it in the model, or use as: list",
    )
    check(
        dict.fromkeys(order.column for order in export.order_by),
        is_ordered,
        "of a type whose order the loader knows to be in order_by",
        "cast it to a number, a date or a text in the model",
    )
    return problems + _too_deep(export, types)


def _may_be_key(dtype: T.DataType) -> bool:
    if isinstance(dtype, WarehouseText):
        return dtype.key
    return attribute_type(dtype) in SCALAR_TYPES and not isinstance(dtype, FLOATS)


def _missing(export: Export, name: str, types: Iterable[str]) -> str:
    folded = [column for column in types if column.lower() == name.lower()]
    if folded:
        return (
            f"column {name} must be in {export.relation} under this name, got {folded[0]}, which "
            f"differs in case: write {folded[0]} in the exposure"
        )
    return (
        f"column {name} must be in {export.relation}, got the columns {', '.join(types)}: "
        "correct the exposure or the model"
    )


def _unreadable(export: Export, name: str, dtype: T.DataType) -> str:
    cast = dtype.cast if isinstance(dtype, Unreadable) else ""
    return (
        f"column {name} of {export.relation} must be of a type that the loader can read, "
        f"got {dtype.simpleString()}: cast it in the model, for example `{cast}`"
    )


def _too_deep(export: Export, types: dict[str, T.DataType]) -> list[str]:
    """Columns nested more deeply than DynamoDB allows; a list is one more level."""
    columns = [(name, 0) for name in export.attributes]
    columns += [(c.column, 1) for c in export.collect if c.kind == "list"]
    return [
        f"column {name} of {export.relation} must be nested at most {LEVELS} levels deep, "
        f"got {depth}: flatten it in the model"
        for name, above in columns
        if name in types and (depth := above + levels(types[name])) > LEVELS
    ]
