"""Keys and other user data, in a form that is safe for a terminal or a page."""

import json

# A key that is rejected for its length may have 60,000 characters; rejects.jsonl has all of them.
SHOWN = 200


def plain_key(key: str | None) -> str:
    """`"user_id":{"S":"12347"}` in readable form: user_id 12347."""
    if key is None:
        return "none"
    attributes: dict[str, dict[str, str]] = json.loads(f"{{{key}}}")
    return printable(", ".join(f"{n} {next(iter(v.values()))}" for n, v in attributes.items()))


def short_key(key: str | None) -> str:
    """`plain_key`, shortened."""
    return shortened(plain_key(key))


def printable(text: str) -> str:
    """The text in one line, with newlines and control characters escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str) -> str:
    """The text or, if it is long, its beginning with its length, for one line on a terminal."""
    if len(text) <= SHOWN:
        return text
    return f"{text[:SHOWN]}… of {len(text):,} characters"
