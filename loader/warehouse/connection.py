"""Address of the warehouse and sign-in by JDBC."""

import os
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from loader.tls import is_loopback
from loader.warehouse.dialect import DIALECTS, Dialect
from loader.warehouse.jdbc_source import JdbcSource
from loader.warehouse.sign_in import (
    DATABASE,
    NO_SECRETS,
    SECRET,
    Login,
    Logins,
    Secrets,
    SignIn,
    password,
)


@dataclass(frozen=True)
class Driver:
    """The class of a JDBC driver, and the Maven coordinates from which Spark resolves it."""

    name: str
    package: str


DRIVERS = {
    "redshift": Driver("com.amazon.redshift.Driver", "com.amazon.redshift:redshift-jdbc42:2.3.0"),
    "postgres": Driver("org.postgresql.Driver", "org.postgresql:postgresql:42.7.4"),
}


@dataclass(frozen=True)
class Connection:
    """Address and sign-in; printing it never shows the password.

    `statement_seconds` limits each statement that is not a read of rows. `secrets` are those of the
    dbt profile. Copies of a connection share its `logins`. A `source` has its own address.
    """

    kind: str
    host: str
    port: int
    database: str
    sign_in: SignIn
    secrets: Secrets = NO_SECRETS
    parameters: tuple[tuple[str, str], ...] = ()
    statement_seconds: int = 900
    source: JdbcSource | None = None
    allow_plain_http: bool = False
    logins: Logins = field(default_factory=Logins, repr=False, compare=False)

    @property
    def driver(self) -> Driver:
        if self.source:
            return Driver(self.source.driver, self.source.package)
        return DRIVERS[self.kind]

    def login(self) -> Login:
        """User and password for a read that begins now; temporary ones are new enough for it.

        Raises `Refused` if AWS does not give any.
        """
        return self.logins.current(self.sign_in, self._ask)

    def _ask(self) -> Login:
        if self.sign_in.method == DATABASE:
            return Login(self.sign_in.user, password(self.sign_in, self.secrets))
        from loader.warehouse.aws_login import Warehouse, aws_login  # slow: botocore

        host = str(self.source) if self.source else self.host
        place = Warehouse(host, self.database, self.allow_plain_http)
        return aws_login(self.sign_in, place, self.secrets)

    @property
    def dialect(self) -> Dialect:
        dialect = DIALECTS[self.kind]
        return dialect.quoted(self.source.quote or dialect.quote) if self.source else dialect

    @property
    def url(self) -> str:
        if self.source:
            return self.source.url
        scheme = "redshift" if self.kind == "redshift" else "postgresql"
        query = f"?{urlencode(self.parameters)}" if self.parameters else ""
        host = f"[{self.host.strip('[]')}]" if ":" in self.host else self.host
        return f"jdbc:{scheme}://{host}:{self.port}/{quote(self.database, safe='')}{query}"

    @property
    def warning(self) -> str | None:
        """How the profile weakens TLS; None if the certificate is verified."""
        if self.source:
            return self.source.warning
        chosen = dict(self.parameters)
        mode = "disable" if chosen.get("ssl") == "false" else chosen.get("sslmode", "")
        if mode.startswith("verify-") or is_loopback(self.host):
            return None
        channel = "plain text" if mode == "disable" else "unverified TLS"
        return (
            f"warehouse {self} is read over {channel} because the dbt profile sets sslmode {mode}: "
            "use verify-full to protect the password and the rows"
        )

    def __str__(self) -> str:
        if self.source:
            return str(self.source)
        return f"{self.host}:{self.port}/{self.database}"


def source_connection(
    source: JdbcSource, secret: str | None = None, allow_plain_http: bool = False
) -> Connection:
    """The connection to the database of a `--jdbc` file; `secret` is one of Secrets Manager."""
    user = os.environ.get(source.user_env, "")
    sign_in = SignIn(DATABASE, user, source.password_env)
    if secret:
        sign_in = SignIn(SECRET, secret=secret)
    return Connection(
        source.kind, "", 0, "", sign_in, source=source, allow_plain_http=allow_plain_http
    )
