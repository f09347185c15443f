"""The file of `--jdbc`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loader.errors import Refused
from loader.warehouse.connection import source_connection
from loader.warehouse.jdbc_query import driver_properties
from loader.warehouse.jdbc_source import JdbcSource, read_source

FIELDS = {
    "url": "jdbc:mariadb://db.example:3306/shop?sslMode=verify-full",
    "driver": "org.mariadb.jdbc.Driver",
    "package": "org.mariadb.jdbc:mariadb-java-client:3.5.11",
}


def written(folder: Path, document: Any) -> Path:
    path = folder / "db.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def problems(folder: Path, document: Any) -> list[str]:
    with pytest.raises(Refused) as refused:
        read_source(written(folder, document))
    return [text.replace(str(folder), "…") for text in refused.value.problems]


def test_user_and_password_are_in_the_variables_that_the_file_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_USER", "reader")
    monkeypatch.setenv("DB_PW", "s3cret")
    named = {**FIELDS, "user_env": "DB_USER", "password_env": "DB_PW"}

    connection = source_connection(read_source(written(tmp_path, named)))

    assert (connection.login().user, connection.login().password) == ("reader", "s3cret")
    assert connection.url == FIELDS["url"]
    assert str(connection) == "mariadb://db.example:3306/shop"
    assert (connection.driver.name, connection.driver.package) == (
        FIELDS["driver"],
        FIELDS["package"],
    )
    assert "s3cret" not in repr(connection)


def test_the_driver_has_the_properties_of_the_file_and_of_the_database(tmp_path: Path) -> None:
    named = {**FIELDS, "properties": {"connectTimeout": 5000}}

    connection = source_connection(read_source(written(tmp_path, named)))

    assert driver_properties(connection) == {
        "user": "",
        "password": "",
        "sessionVariables": "sql_mode='ANSI_QUOTES',time_zone='+00:00'",
        "tinyInt1isBit": "false",
        "yearIsDateType": "false",
        "connectTimeout": "5000",
    }


@pytest.mark.parametrize(
    ("url", "given", "quote", "mode"),
    [
        ("jdbc:mariadb://h/s", {}, '"', "ANSI_QUOTES"),
        ("jdbc:mariadb://h/s", {"quote": "`"}, "`", ""),
        ("jdbc:mysql://h/s", {}, "`", ""),
        ("jdbc:mysql://h/s", {"quote": '"'}, '"', "ANSI_QUOTES"),
        ("jdbc:sqlserver://h", {}, '"', None),
        ("jdbc:sqlserver://h", {"quote": "[]"}, "[]", None),
    ],
)
def test_names_have_the_quotes_of_the_file_or_of_the_database(
    url: str, given: dict[str, str], quote: str, mode: str | None, tmp_path: Path
) -> None:
    connection = source_connection(read_source(written(tmp_path, {**FIELDS, **given, "url": url})))

    assert connection.dialect.quote == quote
    session = driver_properties(connection).get("sessionVariables")
    assert session == (None if mode is None else f"sql_mode='{mode}',time_zone='+00:00'")


@pytest.mark.parametrize("quote", ["'", "", "[", None, ["`"]])
def test_other_quotes_are_refused(quote: Any, tmp_path: Path) -> None:
    assert problems(tmp_path, {**FIELDS, "quote": quote}) == [
        f'quote in …/db.json must be " or ` or [], got {quote}: correct it'
    ]


def test_a_property_that_makes_values_exact_cannot_be_set(tmp_path: Path) -> None:
    url = f"{FIELDS['url']}&SessionVariables=sql_mode='ANSI'"

    assert problems(tmp_path, {**FIELDS, "url": url, "properties": {"tinyInt1isBit": True}}) == [
        "…/db.json must not set sessionVariables, which the loader sets: remove it",
        "…/db.json must not set tinyInt1isBit, which the loader sets: remove it",
    ]


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("jdbc:redshift://h:5439/dev", "redshift"),
        ("jdbc:postgresql://h/dev", "postgresql"),
        ("jdbc:aws-wrapper:postgresql://h/dev", "postgresql"),
    ],
)
def test_a_database_of_a_dbt_profile_is_refused(url: str, scheme: str, tmp_path: Path) -> None:
    assert problems(tmp_path, {**FIELDS, "url": url}) == [
        f"url in …/db.json must be of another database, got {scheme}: leave out --jdbc, and choose "
        "a target of the dbt profile"
    ]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("jdbc:mariadb://h/s", "mariadb"),
        ("jdbc:mysql://h/s", "mysql"),
        ("jdbc:sqlserver://h;databaseName=s", "standard"),
        ("jdbc:oracle:thin:@//h:1521/s", "standard"),
        ("jdbc:aws-wrapper:mysql://h/s", "mysql"),
        ("jdbc:mysql:loadbalance://h/s", "mysql"),
        ("jdbc:h2:mem:mysql", "standard"),
    ],
)
def test_the_url_says_which_sql_the_database_understands(url: str, kind: str) -> None:
    assert JdbcSource(url, "a.B", "a:b:1").kind == kind


def test_all_problems_of_the_file_are_reported_together(tmp_path: Path) -> None:
    document = {
        "url": "mariadb://h/s",
        "driver": 7,
        "user_env": "NOT_SET_ANYWHERE",
        "password": "x",
        "properties": {"trustStorePassword": "x"},
    }

    assert problems(tmp_path, document) == [
        "…/db.json must have url, driver, package, user_env, password_env, quote, properties, got "
        "password: remove it",
        "url in …/db.json must be like jdbc:mariadb://host:3306/shop, got mariadb://h/s: "
        "correct it",
        "driver in …/db.json must be like org.mariadb.jdbc.Driver, got 7: correct it",
        "package in …/db.json must be like org.mariadb.jdbc:mariadb-java-client:3.5.11, got None: "
        "correct it",
        "variable NOT_SET_ANYWHERE, named in …/db.json, must be set, got none: set it",
        "properties in …/db.json must not contain a secret, got trustStorePassword: name it in "
        "password_env",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "jdbc:mariadb://u:s3cret@h/s",
        "jdbc:mariadb://h/s?password=s3cret",
        "jdbc:databricks://h:443;httpPath=/sql/1.0;UID=token;PWD=s3cret",
        "jdbc:snowflake://h/?private_key_file=k.p8&private_key_file_pwd=s3cret",
        "jdbc:oracle:thin:scott/s3cret@//h:1521/s",
        "jdbc:oracle:oci:scott/s3cret@s",
    ],
)
def test_a_url_with_a_password_is_refused_and_not_printed(url: str, tmp_path: Path) -> None:
    assert problems(tmp_path, {**FIELDS, "url": url}) == [
        "url in …/db.json must not contain a secret, got one: name it in password_env"
    ]


@pytest.mark.parametrize("name", ["PWD", "private_key_file_pwd", "PvtKey", "password"])
def test_a_property_with_a_secret_is_refused_and_not_printed(name: str, tmp_path: Path) -> None:
    assert problems(tmp_path, {**FIELDS, "properties": {name: "s3cret"}}) == [
        f"properties in …/db.json must not contain a secret, got {name}: name it in password_env"
    ]


def test_the_path_of_a_key_is_no_secret(tmp_path: Path) -> None:
    properties = {"PvtKeyPath": "key.p8"}

    source = read_source(written(tmp_path, {**FIELDS, "properties": properties}))

    assert source.properties == (("PvtKeyPath", "key.p8"),)


@pytest.mark.parametrize("signs_in", [True, False])
def test_a_password_instead_of_the_name_of_its_variable_is_refused_and_not_printed(
    signs_in: bool, tmp_path: Path
) -> None:
    file = written(tmp_path, {**FIELDS, "user_env": 7, "password_env": "S3cr3t!pass"})

    with pytest.raises(Refused) as refused:
        read_source(file, signs_in)

    assert refused.value.problems == [
        f"{name} in {file} must be the name of an environment variable, got another text: "
        "give the name, not its value"
        for name in ("user_env", "password_env")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "…/db.json must be a JSON object, got [1]: see docs/other-databases.md"),
        (
            "{",
            "cannot read the file of --jdbc, …/db.json: Expecting property name enclosed in double "
            "quotes: line 1 column 2 (char 1). Give a JSON file (docs/other-databases.md)",
        ),
    ],
)
def test_a_file_that_is_no_json_object_is_refused(text: str, message: str, tmp_path: Path) -> None:
    assert problems(tmp_path, text) == [message]


@pytest.mark.parametrize(
    ("url", "warns"),
    [
        ("jdbc:mariadb://db.example/shop", True),
        ("jdbc:mariadb://db.example/shop?sslMode=trust", True),
        ("jdbc:mariadb://db.example/shop?sslMode=verify-full", False),
        ("jdbc:mysql://db.example/shop?sslMode=VERIFY_IDENTITY", False),
        ("jdbc:mariadb://127.0.0.1:3306/shop", False),
        ("jdbc:mariadb:sequential://localhost:3306/shop", False),
        ("jdbc:aws-wrapper:mysql://db.example/shop", True),
        ("jdbc:sqlserver://db.example", False),
    ],
)
def test_a_connection_to_another_machine_without_verified_tls_has_a_warning(
    url: str, warns: bool
) -> None:
    warning = source_connection(JdbcSource(url, "a.B", "a:b:1")).warning

    assert (warning is not None) == warns
