"""The rules of CloudWatch's embedded metric format, as a JSON Schema and as checks.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]

UNITS = [
    *("Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None"),
    *("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes"),
    *("Bits", "Kilobits", "Megabits", "Gigabits", "Terabits"),
]
NAME = {"type": "string", "minLength": 1, "maxLength": 1024}
METRIC = {
    "type": "object",
    "required": ["Name"],
    "additionalProperties": False,
    "properties": {"Name": NAME, "Unit": {"enum": UNITS}, "StorageResolution": {"enum": [1, 60]}},
}
DIMENSION_SET = {
    "type": "array",
    "maxItems": 30,
    "items": {"type": "string", "minLength": 1, "maxLength": 250},
}
DIRECTIVE = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "additionalProperties": False,
    "properties": {
        "Namespace": NAME,
        "Dimensions": {"type": "array", "minItems": 1, "items": DIMENSION_SET},
        "Metrics": {"type": "array", "minItems": 1, "maxItems": 100, "items": METRIC},
    },
}
SCHEMA = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "additionalProperties": False,
            "properties": {
                # Milliseconds: seconds or nanoseconds of our time are outside of this range.
                "Timestamp": {
                    "type": "integer",
                    "minimum": 1_500_000_000_000,
                    "maximum": 9_999_999_999_999,
                },
                "CloudWatchMetrics": {"type": "array", "minItems": 1, "items": DIRECTIVE},
            },
        }
    },
}
MOST_BYTES = 1 << 20


def metrics_of(line: str) -> tuple[list[list[str]], dict[str, float]]:
    """Dimension sets and metrics of a valid line; fails if the line breaks a rule."""
    document = json.loads(line, parse_constant=jsonschema.ValidationError)
    jsonschema.validate(document, SCHEMA)
    assert "\n" not in line
    assert len(line.encode()) < MOST_BYTES
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    names = [metric["Name"] for metric in directive["Metrics"]]
    assert len(names) == len(set(names))
    values: dict[str, Any] = {name: document[name] for name in names}
    for value in values.values():
        assert type(value) in (int, float)
    for name in {name for names in directive["Dimensions"] for name in names}:
        assert 0 < len(document[name].encode("ascii")) <= 1024
    return directive["Dimensions"], values
