"""How the columns of a view become attributes; the schema must have no problem."""

from pyspark.sql import types as T

from loader.items.attribute_types import attribute_type, is_text
from loader.items.collected_attribute import CollectedAttribute
from loader.items.encoding import NULL
from loader.items.export import OMIT, Collect, Export
from loader.items.text_encoding import TextColumns, TextElements, TextKey


def key_types(export: Export, schema: T.StructType) -> tuple[str, ...]:
    """The attribute type of each attribute of the table's key."""
    types = tuple(attribute_type(schema[name].dataType) or "" for name in export.key)
    return (*types, "N") if export.split else types


def attribute_types(export: Export, schema: T.StructType) -> dict[str, str]:
    """The type of every attribute that the export writes, in the order of the item's JSON."""
    types = {
        **dict(zip(export.table_key, key_types(export, schema), strict=True)),
        **{a.name: a.type for a in collected_attributes(export, schema)},
        **{name: attribute_type(schema[name].dataType) or "" for name in export.attributes},
    }
    return {name: types.get(name, "N") for name in attribute_names(export)}


def attribute_names(export: Export) -> tuple[str, ...]:
    """Every attribute that the export writes, in the order of the item's JSON."""
    dropped = [collect.dropped for collect in export.collect if export.truncate]
    counts = filter(None, [export.split_count_attribute, *dropped])
    collected = [collect.attribute for collect in export.collect]
    return (*export.table_key, *collected, *export.attributes, *counts)


def collected_attributes(export: Export, schema: T.StructType) -> tuple[CollectedAttribute, ...]:
    """How the elements element_0, element_1, … become attributes."""
    return tuple(
        CollectedAttribute(
            c.attribute,
            "L" if c.kind == "list" else f"{attribute_type(schema[c.column].dataType)}S",
            c.distinct or c.kind == "set",
            c.limit,
            c.nulls == OMIT,
            export.truncate,
            export.split,
            export.split_count_attribute,
            c.dropped,
            export.sorts_elements,
        )
        for c in export.collect
    )


def text_columns(export: Export, schema: T.StructType) -> TextColumns:
    """The columns that `encode_rows` leaves as text."""
    types = {field.name: field.dataType for field in schema.fields}
    elements = [
        TextElements(c.kind == "list", collected_null(c)) if is_text(types[c.column]) else None
        for c in export.collect
    ]
    key = TextKey(export.key[0]) if is_text_key(export, types) else None
    return TextColumns(key, tuple(elements))


def is_text_key(export: Export, types: dict[str, T.DataType]) -> bool:
    return len(export.key) == 1 and is_text(types[export.key[0]])


def collected_null(collect: Collect) -> str | None:
    """The JSON of a collected NULL; None if it is left out or, in a set, rejected."""
    return None if collect.kind == "set" or collect.nulls == OMIT else NULL
