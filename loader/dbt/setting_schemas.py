"""The JSON Schemas of the settings of an exposure, for editors."""

from loader.items import table_name

# Editors check the file before dbt renders its Jinja.
JINJA = r"\{\{"
PERCENT = r"%\s*$"
TABLE = {"type": "string", "pattern": f"{table_name.TABLE}|{JINJA}"}


def _number_or(*texts: str, minimum: int) -> dict[str, list[dict[str, object]]]:
    """A number, also as a text, or one of the other texts."""
    pattern = "|".join([r"^\s*[0-9]+\s*$", *texts, JINJA])
    return {
        "anyOf": [
            {"type": "integer", "minimum": minimum},
            {"type": "string", "pattern": pattern},
        ]
    }


NUMBER = _number_or(minimum=1)
COUNT = _number_or(minimum=0)
LIMIT_TERM = _number_or(PERCENT, minimum=0)
CAPACITY = _number_or(PERCENT, r"^\s*max\s*$", minimum=1)
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
