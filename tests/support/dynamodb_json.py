"""DynamoDB JSON as boto3 has it."""

import base64
from typing import Any


def boto3_form(wire: Any) -> Any:
    """DynamoDB JSON as botocore gives it to the deserializer: bytes in B."""
    ((type_, value),) = wire.items()
    if type_ == "B":
        return {"B": base64.b64decode(value, validate=True)}
    if type_ == "L":
        return {"L": [boto3_form(element) for element in value]}
    if type_ == "M":
        return {"M": {name: boto3_form(inner) for name, inner in value.items()}}
    return wire
