from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loader.dbt.profile import Profile, connection
from loader.errors import Refused
from loader.tls import is_loopback
from loader.warehouse.connection import Connection, Driver
from loader.warehouse.sign_in import NO_SECRETS, Login, Secrets, SignIn

USER = SignIn(user="u")
PASSWORD = "s3cr3t/&?"  # noqa: S105  a password that every encoding would change
HOST = "shop.abc123.eu-west-1.redshift.amazonaws.com"


class SslMode(Enum):
    VERIFY_FULL = "verify-full"


def redshift(**fields: Any) -> SimpleNamespace:
    known = {"type": "redshift", "method": "database", "host": HOST, "port": 5439}
    signing_in = {"database": "dev", "user": "loader", "password": PASSWORD}
    return SimpleNamespace(**{**known, **signing_in, "sslmode": "prefer", **fields})


def postgres(**fields: Any) -> SimpleNamespace:
    known = {"type": "postgres", "host": "localhost", "port": 5432, "database": "dev"}
    return SimpleNamespace(**{**known, "user": "loader", "password": PASSWORD, **fields})


def test_redshift_credentials_become_a_connection_of_the_redshift_driver() -> None:
    made = connection(redshift(port="5439"))

    assert made == Connection(
        kind="redshift",
        host=HOST,
        port=5439,
        database="dev",
        sign_in=SignIn(user="loader"),
        secrets=Secrets(PASSWORD),
        parameters=(("ssl", "true"), ("sslmode", "verify-ca")),
    )
    assert made.url == f"jdbc:redshift://{HOST}:5439/dev?ssl=true&sslmode=verify-ca"
    assert made.driver == Driver(
        "com.amazon.redshift.Driver", "com.amazon.redshift:redshift-jdbc42:2.3.0"
    )


def test_postgres_credentials_become_a_connection_of_the_postgresql_driver() -> None:
    made = connection(postgres())

    assert made == Connection(
        kind="postgres",
        host="localhost",
        port=5432,
        database="dev",
        sign_in=SignIn(user="loader"),
        secrets=Secrets(PASSWORD),
        parameters=(("sslmode", "disable"),),
    )
    assert made.url == "jdbc:postgresql://localhost:5432/dev?sslmode=disable"
    assert made.driver == Driver("org.postgresql.Driver", "org.postgresql:postgresql:42.7.4")


@pytest.mark.parametrize(
    ("sslmode", "parameters"),
    [
        ("disable", (("ssl", "false"),)),
        ("allow", (("ssl", "true"), ("sslmode", "verify-ca"))),
        ("prefer", (("ssl", "true"), ("sslmode", "verify-ca"))),
        ("require", (("ssl", "true"), ("sslmode", "verify-ca"))),
        ("verify-ca", (("ssl", "true"), ("sslmode", "verify-ca"))),
        ("verify-full", (("ssl", "true"), ("sslmode", "verify-full"))),
        (SslMode.VERIFY_FULL, (("ssl", "true"), ("sslmode", "verify-full"))),
        (None, (("ssl", "true"), ("sslmode", "verify-ca"))),
    ],
)
def test_redshift_is_encrypted_unless_the_profile_says_disable(
    sslmode: object, parameters: tuple[tuple[str, str], ...]
) -> None:
    assert connection(redshift(sslmode=sslmode)).parameters == parameters


@pytest.mark.parametrize(
    ("host", "sslmode", "expected"),
    [
        ("localhost", None, "disable"),
        ("127.0.0.9", None, "disable"),
        ("::1", None, "disable"),
        ("localhost", "require", "require"),
        ("db.example.com", None, "verify-full"),
        ("db.example.com", "", "verify-full"),
        ("db.example.com", "disable", "disable"),
        ("10.0.0.5", "verify-ca", "verify-ca"),
    ],
)
def test_postgres_verifies_every_host_but_this_one_unless_the_profile_says_otherwise(
    host: str, sslmode: str | None, expected: str
) -> None:
    made = connection(postgres(host=host, sslmode=sslmode))

    assert made.parameters == (("sslmode", expected),)


def test_a_redshift_profile_without_sslmode_verifies_the_certificate_on_this_machine_too() -> None:
    """As dbt-redshift, whose default is prefer. The certificate is verified: no warning."""
    made = [connection(redshift(sslmode=None, host=host)) for host in ("127.0.0.1", "10.0.0.1")]

    verified = (("ssl", "true"), ("sslmode", "verify-ca"))
    assert [(read.parameters, read.warning) for read in made] == [(verified, None)] * 2


@pytest.mark.parametrize(
    ("role", "option"),
    [
        ("reader", "-c role=reader"),
        ("Reader", "-c role=reader"),
        ('"Reader of ""shop"""', '-c role=Reader\\ of\\ "shop"'),
    ],
)
def test_the_role_of_the_profile_is_set_in_each_session(role: str, option: str) -> None:
    made = [connection(postgres(role=role)), connection(redshift(role=role))]

    assert [dict(read.parameters)["options"] for read in made] == [option, option]


@pytest.mark.parametrize("role", [None, "", " "])
def test_a_profile_without_a_role_sets_none(role: str | None) -> None:
    assert connection(postgres(role=role)).parameters == (("sslmode", "disable"),)


def test_characters_that_a_url_cannot_contain_are_quoted() -> None:
    made = Connection(
        "postgres", "h", 1, "sales/eu?x=é&y", USER, NO_SECRETS, (("sslmode", "a&b=c d"),)
    )

    assert made.url == ("jdbc:postgresql://h:1/sales%2Feu%3Fx%3D%C3%A9%26y?sslmode=a%26b%3Dc+d")


def test_an_ipv6_host_is_put_in_brackets() -> None:
    assert Connection("redshift", "fe80::2", 5439, "dev", USER).url == (
        "jdbc:redshift://[fe80::2]:5439/dev"
    )


def test_a_host_that_is_in_brackets_already_stays_so() -> None:
    assert Connection("postgres", "[::1]", 5432, "dev", USER).url == (
        "jdbc:postgresql://[::1]:5432/dev"
    )


def test_another_type_of_warehouse_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        connection(SimpleNamespace(type="snowflake"))

    assert refused.value.problems == [
        "dbt profile must be of type redshift or postgres, got snowflake: choose another target"
    ]


def test_another_way_to_sign_in_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        connection(redshift(method="browser_identity_center"))

    assert refused.value.problems == [
        "dbt profile's method must be database, iam or iam_role, got browser_identity_center: "
        "choose another target"
    ]


def test_a_profile_without_password_signs_in_with_an_empty_one() -> None:
    assert connection(postgres(user=None, password=None)).login() == Login("", "")


@pytest.mark.parametrize("credentials", [redshift(), postgres()])
def test_nothing_that_is_printed_shows_the_password(credentials: SimpleNamespace) -> None:
    made = connection(credentials)
    printed = f"{made} {made!r} {made.url} {[made]} {made.login()} {made.logins!r}"

    assert made.login().password == PASSWORD
    assert "s3cr3t" not in printed
    assert str(made) == f"{credentials.host}:{credentials.port}/dev"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),  # noqa: S104  not bound to, only asked about
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        (HOST, False),
        ("", False),
    ],
)
def test_only_addresses_of_this_machine_are_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("credentials", "warning"),
    [
        (redshift(), None),
        (redshift(sslmode="disable", host="127.0.0.1"), None),
        (postgres(host="db.example.com"), None),
        (postgres(host="db.example.com", sslmode="verify-ca"), None),
        (
            redshift(sslmode="disable"),
            f"warehouse {HOST}:5439/dev is read over plain text because the dbt profile sets "
            "sslmode disable: use verify-full to protect the password and the rows",
        ),
        (
            postgres(host="db.example.com", sslmode="prefer"),
            "warehouse db.example.com:5432/dev is read over unverified TLS because the dbt "
            "profile sets sslmode prefer: use verify-full to protect the password and the rows",
        ),
    ],
)
def test_a_profile_without_tls_is_warned_of(
    credentials: SimpleNamespace, warning: str | None
) -> None:
    assert connection(credentials).warning == warning


def test_the_authorities_of_a_postgres_profile_are_the_drivers() -> None:
    made = connection(postgres(host="db.example.com", sslrootcert="/etc/ca.pem"))

    assert made.parameters == (("sslmode", "verify-full"), ("sslrootcert", "/etc/ca.pem"))


@pytest.mark.parametrize(
    ("written", "variable"),
    [
        ("\"{{ env_var('REDSHIFT_PASSWORD') }}\"", "REDSHIFT_PASSWORD"),
        ('\'{{env_var("DBT_ENV_SECRET_P", "") | as_text}}\'', "DBT_ENV_SECRET_P"),
        ("hunter2", None),
        ("\"{{ env_var('A') }}{{ env_var('B') }}\"", None),
        ("\"{{ var('A') }}\"", None),
    ],
)
@pytest.mark.parametrize("name", ["password", "pass"])
def test_a_profile_names_the_one_environment_variable_that_has_its_password(
    tmp_path: Path, name: str, written: str, variable: str | None
) -> None:
    (tmp_path / "profiles.yml").write_text(
        f"shop: {{outputs: {{prod: {{type: redshift, user: loader, {name}: {written}}}}}}}\n"
    )

    assert Profile(tmp_path, "shop", "prod", redshift()).password_variable == variable


def test_a_secret_takes_the_place_of_any_way_to_sign_in() -> None:
    made = connection(redshift(method="browser_identity_center"), secret="arn")  # noqa: S106

    assert (made.sign_in, made.secrets) == (SignIn("secret", secret="arn"), NO_SECRETS)  # noqa: S106
