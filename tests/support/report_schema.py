"""The published JSON Schema of report.json."""

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]

from tests.support.repository import REPOSITORY


def report_problems(report: dict[str, Any]) -> list[str]:
    """The violations of the schema; empty if the report is valid."""
    schema = json.loads((REPOSITORY / "docs" / "report.schema.json").read_text())
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(report)]
