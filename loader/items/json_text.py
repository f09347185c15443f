"""JSON strings in Python."""

import json


def json_text(text: str) -> str:
    """The text in quotes; only characters that JSON requires to be escaped are."""
    return json.dumps(text, ensure_ascii=False)
