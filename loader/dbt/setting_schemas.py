"""The JSON Schemas of the settings of an exposure, for editors."""

from loader.items import table_name

# Editors check the file before dbt renders its Jinja.
JINJA = r"\{\{"
TABLE = {"type": "string", "pattern": f"{table_name.TABLE}|{JINJA}"}
NUMBER = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "string", "pattern": rf"^\s*[0-9]+\s*$|{JINJA}"},
    ]
}
COUNT = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": rf"^\s*[0-9]+\s*$|{JINJA}"},
    ]
}
LIMIT_TERM = {
    "anyOf": [
        {"type": "integer", "minimum": 0},
        {"type": "string", "pattern": rf"^\s*[0-9]+\s*$|%\s*$|{JINJA}"},
    ]
}
CAPACITY = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "string", "pattern": rf"^\s*[0-9]+\s*$|%\s*$|^\s*max\s*$|{JINJA}"},
    ]
}
LIMIT = {
    "anyOf": [
        LIMIT_TERM,
        {"type": "string", "pattern": r"^[^,]+,[^,]+$"},
        {"type": "array", "items": LIMIT_TERM, "minItems": 1, "maxItems": 2},
    ]
}
NAME = {"type": "string", "minLength": 1}
COLUMNS = {"anyOf": [NAME, {"type": "array", "items": NAME}]}
KEY = {"anyOf": [NAME, {"type": "array", "items": NAME, "minItems": 1, "maxItems": 2}]}


def empty_or(pattern: str) -> dict[str, str]:
    return {"type": "string", "pattern": f"^({pattern})?$|{JINJA}"}
