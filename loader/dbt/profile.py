"""dbt profile → JDBC connection, so that credentials are declared once, for dbt and the loader."""

import os
import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import yaml

from loader.dbt.profile_without_dbt import plain_credentials
from loader.errors import Refused, reason
from loader.redaction import hide, secrets_of
from loader.tls import is_loopback, plain_text_problem
from loader.warehouse.connection import DRIVERS, Connection

# The longest that GetClusterCredentials allows; a query that starts later is refused.
# https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
IAM_CREDENTIALS_SECONDS = 3600

# dbt quotes the lines around an error in YAML, which may contain a password.
SHOWN_LINES = re.compile(r" -{10,} .* Raw Error: -{10,}")


def read_profile(
    project_dir: Path,
    profiles_dir: Path | None,
    target: str | None,
    allow_plain_http: bool = False,
) -> Connection:
    """The connection in the project's dbt profile; `Refused` has dbt's reason.

    `profiles_dir` defaults to DBT_PROFILES_DIR, the project's folder if it has a profiles.yml, or
    ~/.dbt. For an IAM profile, this requests temporary credentials from AWS.
    """
    folder = _profiles_dir(project_dir, profiles_dir)
    if plain := plain_credentials(project_dir, folder, target):
        return connection(plain, allow_plain_http)
    from dbt.config.runtime import load_profile
    from dbt.flags import set_from_args
    from dbt_common.context import set_invocation_context
    from dbt_common.exceptions import DbtBaseException

    try:
        set_invocation_context(os.environ)
        set_from_args(Namespace(PROFILES_DIR=str(folder), PROJECT_DIR=str(project_dir)), None)
        profile = load_profile(str(project_dir), {}, target_override=target)
    except (DbtBaseException, AttributeError) as error:
        raise Refused(
            f"cannot read the dbt profile in {folder}: {_reason(error, folder)}. Check "
            "profiles.yml, the target and the environment variables it names (sandbox: "
            "`python -m sandbox env`)"
        ) from None
    return connection(profile.credentials, allow_plain_http)


def _reason(error: Exception, folder: Path) -> str:
    """dbt's reason, without the lines of the file and the secrets that dbt repeats in it."""
    # dbt assumes that the YAML is a mapping.
    text = "it is not a mapping" if isinstance(error, AttributeError) else reason(error)
    text = SHOWN_LINES.sub("", text).rstrip(".")
    try:
        document = yaml.safe_load((folder / "profiles.yml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return text  # dbt has rendered no value either
    return hide(text, secrets_of(document, dict(os.environ)))


def _profiles_dir(project_dir: Path, profiles_dir: Path | None) -> Path:
    if profiles_dir:
        return profiles_dir
    if configured := os.environ.get("DBT_PROFILES_DIR"):
        return Path(configured)
    if (project_dir / "profiles.yml").exists():
        return project_dir
    return Path.home() / ".dbt"


def connection(credentials: Any, allow_plain_http: bool = False) -> Connection:
    """The JDBC connection for dbt credentials of type redshift or postgres."""
    kind = credentials.type
    if kind not in DRIVERS:
        raise Refused(
            f"dbt profile must be of type {' or '.join(DRIVERS)}, got {kind}: choose another target"
        )
    method = str(getattr(credentials, "method", "database"))
    user, password = credentials.user, credentials.password
    if method == "iam":
        user, password = _iam_credentials(credentials, allow_plain_http)
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
        parameters=tuple(_tls(kind, credentials)),
    )


def _tls(kind: str, credentials: Any) -> list[tuple[str, str]]:
    """The driver's TLS parameters; plain text only for loopback or sslmode disable.

    Like dbt-redshift, treats allow, prefer and require as verify-ca
    (https://docs.getdbt.com/docs/core/connect-data-platform/redshift-setup#sslmode-change): the
    Redshift JDBC driver has verify-ca and verify-full only.
    """
    sslmode = getattr(credentials, "sslmode", None)
    by_host = "disable" if is_loopback(credentials.host) else ""
    mode = str(getattr(sslmode, "value", sslmode) or by_host)
    if kind == "redshift":
        if mode == "disable":
            return [("ssl", "false")]
        return [
            ("ssl", "true"),
            ("sslmode", "verify-full" if mode == "verify-full" else "verify-ca"),
        ]
    authorities = getattr(credentials, "sslrootcert", None)
    named = [("sslrootcert", str(authorities))] if authorities else []
    return [("sslmode", mode or "verify-full"), *named]


def _iam_credentials(credentials: Any, allow_plain_http: bool) -> tuple[str, str]:
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
        service = "redshift" if credentials.cluster_id else "redshift-serverless"
        client: Any = session.client(service)  # type: ignore[call-overload]
        url = client.meta.endpoint_url
        if not allow_plain_http and (problem := plain_text_problem("Redshift", url)):
            raise Refused(problem)
        if credentials.cluster_id:
            answer = client.get_cluster_credentials(
                DbUser=credentials.user,
                DbName=credentials.database,
                ClusterIdentifier=credentials.cluster_id,
                DurationSeconds=IAM_CREDENTIALS_SECONDS,
                AutoCreate=credentials.autocreate,
                DbGroups=list(credentials.db_groups),
            )
            return answer["DbUser"], answer["DbPassword"]
        workgroup = credentials.serverless_work_group or credentials.host.split(".")[0]
        temporary = client.get_credentials(
            workgroupName=workgroup,
            dbName=credentials.database,
            durationSeconds=IAM_CREDENTIALS_SECONDS,
        )
        return temporary["dbUser"], temporary["dbPassword"]
    except (BotoCoreError, ClientError) as error:
        raise Refused(
            f"cannot sign in to {credentials.host} by IAM: {reason(error)}. Check "
            "iam_profile, cluster_id or serverless_work_group, and the IAM policy"
        ) from None
