"""The file of `--jdbc`: a database other than Redshift and PostgreSQL, read by its JDBC driver."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from loader.errors import Refused
from loader.redaction import holds_secret
from loader.tls import is_loopback
from loader.warehouse.dialect import DIALECTS, QUOTES, Quote

URL = re.compile(r"jdbc:([\w-]+):\S+\Z")
COORDINATES = re.compile(r"[\w.-]+:[\w.-]+:[\w.-]+\Z")
CLASS = re.compile(r"[\w$]+(\.[\w$]+)+\Z")
REQUIRED = ("url", "driver", "package")
OPTIONAL = ("user_env", "password_env", "quote", "properties")
VARIABLE = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)
# As Databricks, Snowflake and BigQuery name secrets: PWD, private_key_file_pwd, PvtKey.
SECRET_NAME = re.compile(r"pwd\Z|pvtkey\Z", re.IGNORECASE)
SECRET_ASSIGNED = re.compile(r"(?:pwd|pvtkey)=", re.IGNORECASE)
# jdbc:oracle:thin:scott/tiger@//host:1521/service
SIGNED_ORACLE = re.compile(r"jdbc:oracle:\w+:[^/:@\s]+/[^@]+@", re.IGNORECASE)
# Their connections are those of a dbt profile.
OF_PROFILES = ("redshift", "postgresql")
# What is before the address and what is after it: jdbc:mariadb://host:3306/shop?sslMode=…;….
VERIFIED = re.compile(r"sslmode=verify[-_](full|ca|identity)")
ADDRESS = re.compile(r"jdbc:([^?;]*)")


@dataclass(frozen=True)
class JdbcSource:
    """Address and driver of a database, and the names of the variables with user and password.

    An empty `quote` is that of the database's dialect.
    """

    url: str
    driver: str
    package: str
    user_env: str = ""
    password_env: str = ""
    quote: Quote | Literal[""] = ""
    properties: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> str:
        """The SQL that the database is taken to understand: a key of DIALECTS."""
        return kind_of(self.url)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables with user and password."""
        return tuple(filter(None, (self.user_env, self.password_env)))

    @property
    def warning(self) -> str | None:
        """How MariaDB or MySQL is read without TLS; of another database it is not known."""
        host = urlsplit(f"//{self.url.partition('//')[2]}").hostname
        given = f"{self.url}&{'&'.join(map('='.join, self.properties))}".lower()
        if self.kind == "standard" or is_loopback(host or "") or VERIFIED.search(given):
            return None
        return (
            f"warehouse {self} may be read over plain text, because its URL does not verify TLS: "
            "set sslMode to verify-full (MySQL: VERIFY_IDENTITY)"
        )

    def __str__(self) -> str:
        """The address, without parameters."""
        match = ADDRESS.match(self.url)
        return match[1] if match else self.url


def kind_of(url: str) -> str:
    return next((name for name in _schemes(url) if name in ("mariadb", "mysql")), "standard")


def _schemes(url: str) -> list[str]:
    """The names before the address: two if a driver wraps another one (jdbc:aws-wrapper:mysql:)."""
    names, slashes, _ = url.lower().removeprefix("jdbc:").partition("//")
    return names.split(":") if slashes else names.split(":")[:1]


def read_source(path: Path, signs_in: bool = True) -> JdbcSource:
    """The database that a JSON file names; `Refused` has all problems of the file.

    Its variables must be set if this process `signs_in`.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise Refused(
            f"cannot read the file of --jdbc, {path}: {cause}. Give a JSON file "
            "(docs/other-databases.md)"
        ) from None
    if not isinstance(document, dict):
        raise Refused(f"{path} must be a JSON object, got {document}: see docs/other-databases.md")
    if problems := list(_problems(document, path, signs_in)):
        raise Refused(problems, str(path))
    properties = tuple((name, str(value)) for name, value in document.get("properties", {}).items())
    return JdbcSource(**{**document, "properties": properties})


def unset_variables(variables: Iterable[str], place: str) -> list[str]:
    """Problems with the variables of user and password, which the place names."""
    return [
        f"variable {variable}, named in {place}, must be set, got none: set it"
        for variable in variables
        if variable and variable not in os.environ
    ]


def _problems(document: Mapping[str, Any], path: Path, signs_in: bool) -> Iterator[str]:
    for name in document:
        if name not in (*REQUIRED, *OPTIONAL):
            known = ", ".join((*REQUIRED, *OPTIONAL))
            yield f"{path} must have {known}, got {name}: remove it"
    for name, form, example in (
        ("url", URL, "jdbc:mariadb://host:3306/shop"),
        ("driver", CLASS, "org.mariadb.jdbc.Driver"),
        ("package", COORDINATES, "org.mariadb.jdbc:mariadb-java-client:3.5.11"),
    ):
        value = document.get(name)
        if isinstance(value, str) and _is_secret(name, value):
            yield f"{name} in {path} must not contain a secret, got one: name it in password_env"
        elif not isinstance(value, str) or not form.match(value):
            yield f"{name} in {path} must be like {example}, got {value}: correct it"
    for name in ("user_env", "password_env"):
        variable = document.get(name, "")
        if not isinstance(variable, str) or (variable and not VARIABLE.match(variable)):
            yield (
                f"{name} in {path} must be the name of an environment variable, got another text: "
                "give the name, not its value"
            )
        elif signs_in:
            yield from unset_variables([variable], str(path))
    if "quote" in document and document["quote"] not in QUOTES:
        yield f"quote in {path} must be {' or '.join(QUOTES)}, got {document['quote']}: correct it"
    properties = document.get("properties", {})
    if isinstance(properties, dict):
        yield from _of_database(str(document.get("url")), properties, path)
    else:
        yield f"properties in {path} must be a JSON object, got {properties}: correct it"


def _is_secret(name: str, value: str) -> bool:
    """Whether a field or a property has a secret, also as other drivers name it."""
    named = SECRET_NAME.search(name) or SECRET_ASSIGNED.search(value)
    return bool(named or SIGNED_ORACLE.match(value)) or holds_secret(name, value)


def _of_database(url: str, properties: Mapping[str, Any], path: Path) -> Iterator[str]:
    """What contradicts the database of the URL, and secrets in properties."""
    match = URL.match(url)
    for scheme in _schemes(url) if match else ():
        if scheme in OF_PROFILES:
            yield (
                f"url in {path} must be of another database, got {scheme}: leave out --jdbc, and "
                "choose a target of the dbt profile"
            )
    for name, value in properties.items():
        if _is_secret(name, str(value)):
            yield (
                f"properties in {path} must not contain a secret, got {name}: name it in "
                "password_env"
            )
    given = " ".join([url, *(f"{name}=" for name in properties)]).lower()
    for name, _ in DIALECTS[kind_of(url)].properties if match else ():
        if f"{name.lower()}=" in given:
            yield f"{path} must not set {name}, which the loader sets: remove it"
