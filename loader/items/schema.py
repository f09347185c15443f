"""Does a view have the columns and types that its export needs; how they become attributes."""

from collections.abc import Callable

from pyspark.sql import types as T

from loader.items import encoding
from loader.items.encoding import NULL
from loader.items.export import OMIT, Collect, Export
from loader.items.item import CollectedAttribute
from loader.items.limits import LEVELS
from loader.items.texts import TextElements, TextKey, Texts

KEY_TYPES = ("S", "N", "B")

SET_TYPES = ("S", "N", "B")


def schema_problems(export: Export, schema: T.StructType) -> list[str]:
    """What the view lacks or has in a type that cannot be used; names the columns there are."""
    types = {field.name: field.dataType for field in schema.fields}
    problems = [
        f"column {name} must be in {export.relation}, got the columns {', '.join(types)}: "
        "correct the exposure or the model"
        for name in export.columns
        if name not in types
    ]

    def check(name: str, allowed: Callable[[T.DataType], bool], rule: str, remedy: str) -> None:
        if name in types and not allowed(types[name]):
            got = types[name].simpleString()
            problems.append(
                f"column {name} of {export.relation} must be {rule}, got {got}: {remedy}"
            )

    check(
        export.partition_column,
        lambda t: isinstance(t, encoding.INTEGERS),
        "an integer",
        "use the macro partition_column()",
    )
    for name in export.key:
        check(
            name,
            lambda t: (
                encoding.attribute_type(t) in KEY_TYPES and not isinstance(t, encoding.FLOATS)
            ),
            "a string, integer, decimal, date, timestamp or binary to be a key",
            "cast it in the model",
        )
    for name in (*export.attributes, *(c.column for c in export.collect if c.kind == "list")):
        check(
            name,
            lambda t: encoding.attribute_type(t) is not None,
            "of a type that DynamoDB can hold",
            "cast it in the model",
        )
    for name in (c.column for c in export.collect if c.kind == "set"):
        check(
            name,
            lambda t: encoding.attribute_type(t) in SET_TYPES,
            "a string, number or binary to be in a set",
            "cast it in the model, or use as: list",
        )
    return problems + _too_deep(export, types)


def _too_deep(export: Export, types: dict[str, T.DataType]) -> list[str]:
    """Columns that are nested deeper than DynamoDB allows; a list is a level of its own."""
    levels = [(name, 0) for name in export.attributes]
    levels += [(c.column, 1) for c in export.collect if c.kind == "list"]
    return [
        f"column {name} of {export.relation} must be nested at most {LEVELS} levels deep, "
        f"got {depth}: flatten it in the model"
        for name, above in levels
        if name in types and (depth := above + encoding.levels(types[name])) > LEVELS
    ]


def key_types(export: Export, schema: T.StructType) -> tuple[str, ...]:
    """DynamoDB's type letter of each attribute of the table's key; the schema must have passed."""
    attribute_types = tuple(
        encoding.attribute_type(schema[name].dataType) or "" for name in export.key
    )
    return (*attribute_types, "N") if export.split else attribute_types


def texts(export: Export, schema: T.StructType) -> Texts:
    """What `encode_rows` leaves as text: a key of one text, and the collected columns of text."""
    types = {field.name: field.dataType for field in schema.fields}
    elements = [
        TextElements(c.kind == "list", collected_null(c)) if is_text(types[c.column]) else None
        for c in export.collect
    ]
    key = TextKey(export.key[0]) if is_text_key(export, types) else None
    return Texts(key, tuple(elements))


def is_text_key(export: Export, types: dict[str, T.DataType]) -> bool:
    return len(export.key) == 1 and is_text(types[export.key[0]])


def is_text(dtype: T.DataType) -> bool:
    return isinstance(dtype, T.StringType)


def collected_attributes(export: Export, schema: T.StructType) -> tuple[CollectedAttribute, ...]:
    """How the elements e0, e1, … become attributes."""

    def collected_type(collect: Collect) -> str:
        element = encoding.attribute_type(schema[collect.column].dataType) or ""
        return "L" if collect.kind == "list" else f"{element}S"

    return tuple(
        CollectedAttribute(
            c.attribute,
            collected_type(c),
            c.distinct or c.kind == "set",
            c.limit,
            c.nulls == OMIT,
            export.truncate,
            export.split,
            export.split_count_attribute,
            c.dropped,
        )
        for c in export.collect
    )


def collected_null(collect: Collect) -> str | None:
    """The JSON of a NULL that is collected; None where it is left out or, in a set, refused."""
    return None if collect.kind == "set" or collect.nulls == OMIT else NULL
