"""dbt profile → JDBC connection, so that credentials are declared once, for dbt and the loader."""

import os
import re
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from loader.dbt.profile_without_dbt import plain_target
from loader.dbt.rendering import PROBLEMS, has_jinja, read_mapping
from loader.errors import Refused, reason
from loader.redaction import hide, secrets_of
from loader.settings import Settings
from loader.tls import is_loopback, plain_text_problem
from loader.warehouse.connection import DRIVERS, Connection

# The longest that GetClusterCredentials allows; a query that starts later is refused.
# https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
IAM_CREDENTIALS_SECONDS = 3600
# https://docs.getdbt.com/docs/core/connect-data-platform/redshift-setup#authentication-parameters
METHODS = ("database", "iam", "iam_role")

# shop.abc123.eu-west-1.redshift.amazonaws.com, shop.123.eu-west-1.redshift-serverless.amazonaws.com
REDSHIFT_HOST = re.compile(
    r"((?P<workgroup>.+)\.)?[^.]+\.(?P<region>[a-z]{2}(-[a-z]+)+-\d)"
    r"\.redshift(-serverless)?\.amazonaws\.com(\.cn)?\Z"
)

# dbt quotes the lines around an error in YAML, which may contain a password.
SHOWN_LINES = re.compile(r" -{10,} .* Raw Error: -{10,}")


@dataclass(frozen=True)
class Profile:
    """A target of a profile in the folder's profiles.yml; `credentials` has dbt's fields."""

    folder: Path
    name: str
    target: str
    credentials: Any

    @property
    def host(self) -> str:
        return f"{self.credentials.host}:{self.credentials.port}"

    @property
    def host_varies(self) -> bool:
        """Whether host or port depend on variables, so that they may differ at another time."""
        try:
            fields = read_mapping(self.folder / "profiles.yml")[self.name]["outputs"][self.target]
            return has_jinja(fields["host"]) or has_jinja(fields["port"])
        except PROBLEMS:
            return True


def chosen_profile(settings: Settings) -> Profile:
    """The profile and target that the options choose; `Refused` has dbt's reason."""
    folder = profiles_folder(settings)
    return read_profile(
        settings.project_dir, folder, settings.profile, settings.target, settings.vars
    )


def profiles_folder(settings: Settings) -> Path:
    """`--profiles-dir`, or as in dbt the current folder or ~/.dbt; before that, the project's."""
    if settings.profiles_dir:
        return settings.profiles_dir
    for folder in (Path.cwd(), settings.project_dir):
        if os.path.exists(folder / "profiles.yml"):
            return folder
    return home_folder()


def home_folder() -> Path:
    """~/.dbt, also for a user without a home, who has none."""
    return Path(os.path.expanduser("~/.dbt"))


def read_profile(
    project_dir: Path,
    folder: Path,
    profile: str | None,
    target: str | None,
    variables: Mapping[str, Any],
) -> Profile:
    """A target of the folder's profiles.yml; by default the project's profile and its target."""
    if plain := plain_target(project_dir, folder, profile, target, variables):
        return Profile(folder, *plain)
    from click import ClickException
    from dbt.config.runtime import load_profile
    from dbt.flags import set_from_args
    from dbt_common.context import set_invocation_context
    from dbt_common.exceptions import DbtBaseException

    try:
        set_invocation_context(os.environ)
        set_from_args(Namespace(PROFILES_DIR=str(folder), PROJECT_DIR=str(project_dir)), None)
        read = load_profile(
            str(project_dir),
            dict(variables),
            profile_name_override=profile,
            target_override=target,
        )
    except (DbtBaseException, ClickException, AttributeError, OSError, UnicodeError) as error:
        raise Refused(
            f"cannot read the dbt profile in {folder}: {_reason(error, folder)}. Check "
            "profiles.yml, the target, --vars and the environment variables it names (sandbox: "
            "`python -m sandbox env`)"
        ) from None
    return Profile(folder, read.profile_name, read.target_name, read.credentials)


def _reason(error: Exception, folder: Path) -> str:
    """dbt's reason, without the lines of the file and the secrets that dbt repeats in it."""
    # dbt assumes that the YAML is a mapping.
    text = "it is not a mapping" if isinstance(error, AttributeError) else reason(error)
    if isinstance(error, OSError):
        return str(error.strerror)
    text = SHOWN_LINES.sub("", text).rstrip(".")
    try:
        document = yaml.safe_load((folder / "profiles.yml").read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError):
        return text  # dbt has rendered no value either
    return hide(text, secrets_of(document, dict(os.environ)))


def connection(credentials: Any, allow_plain_http: bool = False) -> Connection:
    """The JDBC connection for dbt credentials of type redshift or postgres.

    For an IAM method, this requests temporary credentials from AWS.
    """
    kind = credentials.type
    if kind not in DRIVERS:
        raise Refused(
            f"dbt profile must be of type {' or '.join(DRIVERS)}, got {kind}: choose another target"
        )
    method = str(getattr(credentials, "method", None) or "database")
    if method not in METHODS:
        raise Refused(
            f"dbt profile's method must be {', '.join(METHODS[:-1])} or {METHODS[-1]}, "
            f"got {method}: choose another target"
        )
    user, password = credentials.user, credentials.password
    if method != "database":
        user, password = _iam_credentials(credentials, method, allow_plain_http)
    return Connection(
        kind=kind,
        host=credentials.host,
        port=int(credentials.port),
        database=credentials.database,
        user=str(user or ""),
        password=str(password or ""),
        parameters=(*_tls(kind, credentials), *_role(credentials)),
    )


def _role(credentials: Any) -> list[tuple[str, str]]:
    """The driver's parameter for `set role`, which dbt runs in each session."""
    role = str(getattr(credentials, "role", None) or "").strip()
    if not role:
        return []
    # In SQL, a name without quotes is in lower case.
    name = role[1:-1].replace('""', '"') if role.startswith('"') else role.lower()
    escaped = re.sub(r"([\\\s])", r"\\\1", name)
    return [("options", f"-c role={escaped}")]


def _tls(kind: str, credentials: Any) -> list[tuple[str, str]]:
    """The driver's TLS parameters.

    Like dbt-redshift, treats a missing sslmode, allow, prefer and require as verify-ca
    (https://docs.getdbt.com/docs/core/connect-data-platform/redshift-setup#sslmode-change): the
    Redshift JDBC driver has verify-ca and verify-full only. PostgreSQL without sslmode is in plain
    text on this machine only.
    """
    sslmode = getattr(credentials, "sslmode", None)
    mode = str(getattr(sslmode, "value", sslmode) or "")
    if kind == "redshift":
        if mode == "disable":
            return [("ssl", "false")]
        return [
            ("ssl", "true"),
            ("sslmode", "verify-full" if mode == "verify-full" else "verify-ca"),
        ]
    authorities = getattr(credentials, "sslrootcert", None)
    named = [("sslrootcert", str(authorities))] if authorities else []
    by_host = "disable" if is_loopback(credentials.host) else "verify-full"
    return [("sslmode", mode or by_host), *named]


def _iam_credentials(credentials: Any, method: str, allow_plain_http: bool) -> tuple[str, str]:
    """Temporary user and password, requested as dbt-redshift does.

    `iam` signs in as the profile's user. `iam_role` signs in as the user of the IAM role. On
    Redshift Serverless both are the role's.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    host = REDSHIFT_HOST.match(credentials.host)
    serverless = "serverless" in credentials.host or credentials.is_serverless is True
    _check_iam(credentials, method, serverless)
    keys = method == "iam" and credentials.access_key_id
    try:
        session = boto3.session.Session(
            region_name=credentials.region or (host["region"] if host else None),
            profile_name=None if keys else credentials.iam_profile,
            aws_access_key_id=credentials.access_key_id if keys else None,
            aws_secret_access_key=credentials.secret_access_key if keys else None,
        )
        service = "redshift-serverless" if serverless else "redshift"
        client: Any = session.client(service)  # type: ignore[call-overload]
        url = client.meta.endpoint_url
        if not allow_plain_http and (problem := plain_text_problem("Redshift", url)):
            raise Refused(problem)
        if serverless:
            workgroup = credentials.serverless_work_group or (host["workgroup"] if host else None)
            of = {"workgroupName": workgroup} if workgroup else {}
            temporary = client.get_credentials(
                **(of or {"customDomainName": credentials.host}),
                dbName=credentials.database,
                durationSeconds=IAM_CREDENTIALS_SECONDS,
            )
            return temporary["dbUser"], temporary["dbPassword"]
        cluster = {
            "DbName": credentials.database,
            "ClusterIdentifier": credentials.cluster_id,
            "DurationSeconds": IAM_CREDENTIALS_SECONDS,
        }
        answer = (
            client.get_cluster_credentials(
                **cluster,
                DbUser=credentials.user,
                AutoCreate=credentials.autocreate,
                DbGroups=list(credentials.db_groups),
            )
            if method == "iam"
            else client.get_cluster_credentials_with_iam(**cluster)
        )
        return answer["DbUser"], answer["DbPassword"]
    except (BotoCoreError, ClientError) as error:
        raise Refused(
            f"cannot sign in to {credentials.host} by IAM: {reason(error)}. Check "
            "iam_profile, region, cluster_id or serverless_work_group, and the IAM policy"
        ) from None


def _check_iam(credentials: Any, method: str, serverless: bool) -> None:
    """Raise `Refused` for fields that dbt-redshift requires too."""
    problems = []
    if not serverless and not credentials.cluster_id:
        problems.append(
            f"dbt profile's method {method} must have cluster_id or a serverless host, "
            f"got {credentials.host} alone: set cluster_id, or is_serverless"
        )
    if method == "iam" and not credentials.user:
        problems.append(
            "dbt profile's method iam must have a user, got none: set user, or use iam_role"
        )
    if bool(credentials.access_key_id) != bool(credentials.secret_access_key):
        problems.append(
            "dbt profile must have access_key_id and secret_access_key, got one of them: "
            "set both, or iam_profile"
        )
    if problems:
        raise Refused(problems)
