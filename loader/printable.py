"""Keys and other words of users as a terminal or a page may show them."""

import json


def plain_key(key: str | None) -> str:
    """`"user_id":{"S":"12347"}` as a person says it: user_id 12347."""
    if key is None:
        return "none"
    attributes: dict[str, dict[str, str]] = json.loads(f"{{{key}}}")
    return printable(", ".join(f"{n} {next(iter(v.values()))}" for n, v in attributes.items()))


def printable(text: str) -> str:
    """The same in one line that no terminal obeys: what does not print is shown by its number."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
