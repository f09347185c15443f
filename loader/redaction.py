"""Find secrets by their names, and mask them in output."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# The default of spark.redaction.regex in Spark 4. As in Spark, it is applied to names and values:
# -Djavax.net.ssl.trustStorePassword=… is a secret in a property with a harmless name.
# https://spark.apache.org/docs/latest/configuration.html#runtime-environment
SECRET = re.compile(r"secret|password|token|access[.]?key|credential", re.IGNORECASE)
# scheme://user:password@host
SIGNED_ADDRESS = re.compile(r"://[^/\s]*:[^/\s]*@")
MASK = "*********(redacted)"
# A word with an address and its user: [scheme://]user:password@host
WITH_USER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)?\S*@")
# The same in a command, which the user must fill in.
HIDDEN = "<secret>"
# Narrower than SECRET, because a false alarm refuses a run: credentials.provider names a class.
NAME = re.compile(r"secret|password|token|access[._]?key|\Apass\Z", re.IGNORECASE)
ASSIGNED = re.compile(r"(?:secret|password|token|access[._]?key)[\w.]*=", re.IGNORECASE)
ENV_VAR = re.compile(r"env_var\(\s*['\"](\w+)")


def redact(properties: Mapping[str, str]) -> dict[str, str]:
    """The properties, sorted by name; a value is masked if it or its name looks like a secret."""
    return {
        name: MASK
        if SECRET.search(name) or SECRET.search(value) or SIGNED_ADDRESS.search(value)
        else value
        for name, value in sorted(properties.items())
    }


def without_user(text: str) -> str:
    """The text with `***` for the user and the password of each address in it."""
    return WITH_USER.sub(r"\1***@", text)


def without_secrets(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties with `HIDDEN` for a value that looks like a secret, at any depth."""
    return {
        name: without_secrets(value)
        if isinstance(value, Mapping)
        else HIDDEN
        if _is_secret(str(name), str(value))
        else value
        for name, value in properties.items()
    }


def _is_secret(name: str, value: str) -> bool:
    """As in `redact`; but credentials.provider names a class."""
    return holds_secret(name, value) or (
        SECRET.search(name) is not None and not name.endswith("provider")
    )


def holds_secret(name: str, value: str) -> bool:
    """Whether a property has a secret, by its name or by an assignment in its value."""
    return bool(NAME.search(name) or ASSIGNED.search(value) or SIGNED_ADDRESS.search(value))


def secrets_of(document: Any, environment: dict[str, str], secret: bool = False) -> Iterator[str]:
    """The values under secret names, and the values of the environment variables they refer to."""
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
    """Replace each secret that is a whole word with `***`."""
    for secret in sorted({s for s in secrets if s}, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return text
