"""dbt profile → JDBC connection, so that credentials are declared once, where dbt reads them."""

import ipaddress
import os
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from loader.errors import Refused
from loader.plain_profile import plain_credentials

# One hour: the longest life GetClusterCredentials gives. A query that starts later is refused.
# https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
IAM_CREDENTIALS_SECONDS = 3600


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

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"


def read_profile(project_dir: Path, profiles_dir: Path | None, target: str | None) -> Connection:
    """The connection of the project's dbt profile, rendered as dbt does, or by dbt itself.

    `profiles_dir` defaults as in dbt: DBT_PROFILES_DIR, the project, the home folder. Signing in
    by IAM asks AWS for temporary credentials now. Raises `Refused` with dbt's own reason.
    """
    folder = _profiles_dir(project_dir, profiles_dir)
    if plain := plain_credentials(project_dir, folder, target):
        return connection(plain)
    from dbt.config.runtime import load_profile
    from dbt.flags import set_from_args
    from dbt_common.context import set_invocation_context
    from dbt_common.exceptions import DbtBaseException

    try:
        set_invocation_context(os.environ)
        set_from_args(Namespace(PROFILES_DIR=str(folder), PROJECT_DIR=str(project_dir)), None)
        profile = load_profile(str(project_dir), {}, target_override=target)
    except DbtBaseException as error:
        reason = " ".join(str(error).split())
        raise Refused(
            f"dbt profile in {folder} must be readable, got {reason}: check profiles.yml, the "
            "target and the environment variables it names (sandbox: `python -m sandbox env`)"
        ) from None
    return connection(profile.credentials)


def _profiles_dir(project_dir: Path, profiles_dir: Path | None) -> Path:
    if profiles_dir:
        return profiles_dir
    if configured := os.environ.get("DBT_PROFILES_DIR"):
        return Path(configured)
    if (project_dir / "profiles.yml").exists():
        return project_dir
    return Path.home() / ".dbt"


def connection(credentials: Any) -> Connection:
    """The JDBC connection for dbt credentials of type redshift or postgres."""
    kind = credentials.type
    if kind not in DRIVERS:
        raise Refused(
            f"dbt profile must be of type {' or '.join(DRIVERS)}, got {kind}: choose another target"
        )
    method = str(getattr(credentials, "method", "database"))
    user, password = credentials.user, credentials.password
    if method == "iam":
        user, password = _iam_credentials(credentials)
    elif method != "database":
        raise Refused(
            f"dbt profile's method must be database or iam, got {method}: choose another target"
        )
    return Connection(
        kind=kind,
        host=credentials.host,
        port=int(credentials.port),
        database=credentials.database,
        user=str(user or ""),
        password=str(password or ""),
        parameters=tuple(_tls(kind, getattr(credentials, "sslmode", None), credentials.host)),
    )


def _tls(kind: str, sslmode: object, host: str) -> list[tuple[str, str]]:
    """The driver's TLS parameters; plain text only for loopback or where the profile says so.

    dbt-redshift treats allow, prefer and require as verify-ca
    (https://docs.getdbt.com/docs/core/connect-data-platform/redshift-setup#sslmode-change), and
    so do we; the Redshift JDBC driver knows verify-ca and verify-full only.
    """
    mode = str(getattr(sslmode, "value", sslmode) or ("disable" if is_loopback(host) else ""))
    if kind == "redshift":
        if mode == "disable":
            return [("ssl", "false")]
        return [
            ("ssl", "true"),
            ("sslmode", "verify-full" if mode == "verify-full" else "verify-ca"),
        ]
    return [("sslmode", mode or "verify-full")]


def is_loopback(host: str) -> bool:
    """True for localhost and the loopback addresses, where plain text leaves no machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _iam_credentials(credentials: Any) -> tuple[str, str]:
    """Temporary user and password from Redshift, provisioned or serverless."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        session = boto3.session.Session(
            profile_name=credentials.iam_profile,
            region_name=credentials.region,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
        )
        if credentials.cluster_id:
            answer = session.client("redshift").get_cluster_credentials(
                DbUser=credentials.user,
                DbName=credentials.database,
                ClusterIdentifier=credentials.cluster_id,
                DurationSeconds=IAM_CREDENTIALS_SECONDS,
                AutoCreate=credentials.autocreate,
                DbGroups=list(credentials.db_groups),
            )
            return answer["DbUser"], answer["DbPassword"]
        workgroup = credentials.serverless_work_group or credentials.host.split(".")[0]
        temporary = session.client("redshift-serverless").get_credentials(
            workgroupName=workgroup,
            dbName=credentials.database,
            durationSeconds=IAM_CREDENTIALS_SECONDS,
        )
        return temporary["dbUser"], temporary["dbPassword"]
    except (BotoCoreError, ClientError) as error:
        raise Refused(
            f"IAM sign-in to {credentials.host} must give temporary credentials, got {error}: "
            "check iam_profile, cluster_id or serverless_work_group, and the IAM policy"
        ) from None
