"""What a secret looks like by its name, and how it is kept out of what is printed."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

# Spark hides what this finds, by spark.redaction.regex:
# https://spark.apache.org/docs/latest/configuration.html
NAME = re.compile(r"secret|password|token|access[._]?key|\Apass\Z", re.IGNORECASE)
ASSIGNED = re.compile(r"(?:secret|password|token|access[._]?key)[\w.]*=", re.IGNORECASE)
ENV_VAR = re.compile(r"env_var\(\s*['\"](\w+)")
HIDDEN = "***"


def holds_secret(name: str, value: str) -> bool:
    """Whether a property has a secret, by its name or by an assignment in its value."""
    return bool(NAME.search(name) or ASSIGNED.search(value))


def secrets_of(document: Any, environment: dict[str, str], secret: bool = False) -> Iterator[str]:
    """The values under names of secrets, also those of the environment variables they name."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield from secrets_of(value, environment, secret or bool(NAME.search(str(name))))
    elif isinstance(document, list):
        for value in document:
            yield from secrets_of(value, environment, secret)
    elif secret and document is not None:
        yield str(document)
        yield from (environment.get(name, "") for name in ENV_VAR.findall(str(document)))


def hide(text: str, secrets: Iterable[str]) -> str:
    """The text with each secret, where it stands as a word of its own, replaced by `***`."""
    for secret in sorted({s for s in secrets if s}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return text
