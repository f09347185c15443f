"""A text as JSON has it, on the driver and on executors."""

import json


def json_text(text: str) -> str:
    """With its quotes; what JSON does not want escaped stays as it is."""
    return json.dumps(text, ensure_ascii=False)
