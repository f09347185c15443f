"""Where the warehouse is and how to sign in by JDBC."""

from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from loader.aws import is_loopback


@dataclass(frozen=True)
class Driver:
    """A JDBC driver: its class and the Maven coordinates that Spark resolves it from."""

    name: str
    package: str


DRIVERS = {
    "redshift": Driver("com.amazon.redshift.Driver", "com.amazon.redshift:redshift-jdbc42:2.3.0"),
    "postgres": Driver("org.postgresql.Driver", "org.postgresql:postgresql:42.7.4"),
}


@dataclass(frozen=True)
class Connection:
    """Where the warehouse is and how to sign in; printing it never shows the password."""

    kind: str
    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def driver(self) -> Driver:
        return DRIVERS[self.kind]

    @property
    def url(self) -> str:
        scheme = "redshift" if self.kind == "redshift" else "postgresql"
        query = f"?{urlencode(self.parameters)}" if self.parameters else ""
        host = f"[{self.host.strip('[]')}]" if ":" in self.host else self.host
        return f"jdbc:{scheme}://{host}:{self.port}/{quote(self.database, safe='')}{query}"

    @property
    def warning(self) -> str | None:
        """What the profile gave up of TLS with a certificate that is verified, or None."""
        chosen = dict(self.parameters)
        mode = "disable" if chosen.get("ssl") == "false" else chosen.get("sslmode", "")
        if mode.startswith("verify-") or is_loopback(self.host):
            return None
        kept = "plain text" if mode == "disable" else "TLS that is not verified"
        return (
            f"warehouse {self} is read in {kept}, because the dbt profile says sslmode {mode}: "
            "verify-full protects password and rows"
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"
