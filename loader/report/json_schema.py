"""The JSON Schema of report.json, and its fields for a reference table. Needs pydantic."""

from collections.abc import Iterator
from dataclasses import make_dataclass
from typing import Annotated, Any, NamedTuple, get_type_hints

from loader.report.field_annotations import Keywords, doc
from loader.report.run_context import RunContext
from loader.report.totals import COMPUTED, SCHEMA, Report, document_names

# Classes of other packages, which do not know the report.
DESCRIPTIONS = {
    "Reject": {
        "reason": "Why the rows or the item cannot be written.",
        "rows": "Rows that were rejected; 0 if DynamoDB rejected the item.",
        "key": "Key of the item, as DynamoDB JSON without braces; null for rows without one.",
    },
    "NotSent": {
        "partition": "Partition of the puts.",
        "changes": "How many puts were not sent.",
        "cause": "Why they were not sent.",
    },
}


class Field(NamedTuple):
    """A field of report.json; the name is a path such as `equations[].left.count`."""

    name: str
    type: str
    description: str


def report_schema() -> dict[str, Any]:
    """The JSON Schema of report.json: every field is required, and no other is allowed."""
    from pydantic import TypeAdapter

    version = doc("Version: raised when a field is removed, renamed or changes its meaning.")
    hints: dict[str, Any] = {"schema": Annotated[int, Keywords(const=SCHEMA), version]}
    hints |= get_type_hints(RunContext, include_extras=True)
    hints |= get_type_hints(Report, include_extras=True)
    for name in COMPUTED:
        getter = vars(Report)[name].fget
        returned = getter.__annotations__["return"]
        hints[name] = Annotated[returned, doc(getter.__doc__.splitlines()[0])]
    names = ["schema", *document_names()]
    document = make_dataclass("Report", [(name, hints[name]) for name in names])
    schema = TypeAdapter(document).json_schema()
    for name, descriptions in DESCRIPTIONS.items():
        for field, description in descriptions.items():
            schema["$defs"][name]["properties"][field]["description"] = description
    definitions = {name: _closed(nested) for name, nested in sorted(schema.pop("$defs").items())}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_closed(schema),
        "title": f"report.json of a run of the loader, schema {SCHEMA}",
        "$defs": definitions,
    }


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """An object's schema with all fields required; without pydantic's titles and defaults."""
    properties = {
        name: {word: value for word, value in field.items() if word not in ("title", "default")}
        for name, field in schema["properties"].items()
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def report_fields() -> list[Field]:
    """The fields of report.json in its order, for a reference table."""
    schema = report_schema()
    return list(_fields(schema, schema["$defs"], ""))


def _fields(schema: dict[str, Any], definitions: dict[str, Any], place: str) -> Iterator[Field]:
    for name, field in schema["properties"].items():
        path = f"{place}{name}"
        yield Field(path, _type(field), field["description"])
        inner = field.get("items", field).get("$ref", "").removeprefix("#/$defs/")
        if inner:
            suffix = "[]." if "items" in field else "."
            yield from _fields(definitions[inner], definitions, path + suffix)


def _type(schema: dict[str, Any]) -> str:
    """The type of a field in words: `integer or null`, `list of string`."""
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    return str(schema.get("type", "object"))
