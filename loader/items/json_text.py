"""JSON strings in Python, with the text that Spark's `to_json` gives them."""

import json
import re

_encode = json.JSONEncoder(ensure_ascii=False).encode
_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|.)")


def json_text(text: str) -> str:
    """The text in quotes; only characters that JSON requires to be escaped are.

    Python writes U+001F as \\u001f, Jackson as \\u001F.
    """
    quoted = _encode(text)
    return _ESCAPE.sub(_as_jackson, quoted) if "\\u00" in quoted else quoted


def _as_jackson(escape: re.Match[str]) -> str:
    return f"\\u{escape[1].upper()}" if escape[1] else escape[0]
