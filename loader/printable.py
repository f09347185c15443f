"""Keys and other user data, in a form that is safe for a terminal or a page."""

import json


def plain_key(key: str | None) -> str:
    """`"user_id":{"S":"12347"}` in readable form: user_id 12347."""
    if key is None:
        return "none"
    attributes: dict[str, dict[str, str]] = json.loads(f"{{{key}}}")
    return printable(", ".join(f"{n} {next(iter(v.values()))}" for n, v in attributes.items()))


def printable(text: str) -> str:
    """The text in one line, with newlines and control characters escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
