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
from loader.tls import is_loopback
from loader.warehouse.connection import DRIVERS, Connection
from loader.warehouse.sign_in import DATABASE, IAM, IAM_ROLE, SECRET, Secrets, SignIn

# https://docs.getdbt.com/docs/core/connect-data-platform/redshift-setup#authentication-parameters
METHODS = (DATABASE, IAM, IAM_ROLE)

# A password that one environment variable has.
ENV_VAR = re.compile(
    r"\s*\{\{\s*env_var\(\s*(['\"])(\w+)\1\s*(,[^)]*)?\)\s*(\|\s*as_text\s*)?\}\}\s*"
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
            return has_jinja(self._fields["host"]) or has_jinja(self._fields["port"])
        except PROBLEMS:
            return True

    @property
    def declared(self) -> Mapping[str, Any]:
        """The fields of the target as profiles.yml has them; none if it has changed since."""
        try:
            return self._fields
        except PROBLEMS:
            return {}

    @property
    def password_variable(self) -> str | None:
        """The environment variable that has the password; None if it is written in another way."""
        try:
            fields = self._fields
        except PROBLEMS:
            return None
        found = ENV_VAR.fullmatch(str(fields.get("password", fields.get("pass"))))
        return found[2] if found else None

    @property
    def _fields(self) -> Mapping[str, Any]:
        """The target as it is written, before Jinja."""
        outputs = read_mapping(self.folder / "profiles.yml")[self.name]["outputs"]
        fields: Mapping[str, Any] = outputs[self.target]
        return fields


def chosen_profile(settings: Settings) -> Profile:
    """The profile and target that the options choose; `Refused` has dbt's reason."""
    folder = profiles_folder(settings)
    return read_profile(
        settings.project_dir,
        folder,
        settings.profile,
        settings.target,
        settings.vars,
        has_user=settings.secret is None,
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
    has_user: bool = True,
) -> Profile:
    """A target of the folder's profiles.yml; by default the project's profile and its target.

    User and password are not needed if it is not the profile that `has_user`.
    """
    if plain := plain_target(project_dir, folder, profile, target, variables, has_user):
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


def connection(
    credentials: Any, allow_plain_http: bool = False, secret: str | None = None
) -> Connection:
    """The JDBC connection for dbt credentials of type redshift or postgres; sends no request.

    `secret` is that of AWS Secrets Manager whose user signs in, instead of the profile's.
    """
    kind = credentials.type
    if kind not in DRIVERS:
        raise Refused(
            f"dbt profile must be of type {' or '.join(DRIVERS)}, got {kind}: choose another target"
        )
    how = SignIn(SECRET, secret=secret) if secret else _sign_in(credentials)
    return Connection(
        kind=kind,
        host=credentials.host,
        port=int(credentials.port),
        database=credentials.database,
        sign_in=how,
        secrets=_secrets(credentials, how.method),
        parameters=(*_tls(kind, credentials), *_role(credentials)),
        allow_plain_http=allow_plain_http,
    )


def _sign_in(credentials: Any) -> SignIn:
    """As dbt does: `iam` signs in as the profile's user, `iam_role` as the user of the IAM role.

    On Redshift Serverless both are the role's.
    """
    method = str(getattr(credentials, "method", None) or DATABASE)
    if method not in METHODS:
        raise Refused(
            f"dbt profile's method must be {', '.join(METHODS[:-1])} or {METHODS[-1]}, "
            f"got {method}: choose another target"
        )
    if method == DATABASE:
        return SignIn(user=str(credentials.user or ""))
    serverless = "serverless" in credentials.host or credentials.is_serverless is True
    _check_iam(credentials, method, serverless)
    return SignIn(
        method,
        user=str(credentials.user or "") if method == IAM else "",
        cluster_id=str(credentials.cluster_id or ""),
        db_groups=tuple(credentials.db_groups),
        autocreate=bool(credentials.autocreate),
        serverless=serverless,
        workgroup=str(credentials.serverless_work_group or ""),
        region=str(credentials.region or ""),
        profile=str(credentials.iam_profile or ""),
    )


def _secrets(credentials: Any, method: str) -> Secrets:
    if method == DATABASE:
        return Secrets(password=str(credentials.password or ""))
    if method == IAM and credentials.access_key_id:
        return Secrets(None, credentials.access_key_id, credentials.secret_access_key)
    return Secrets()


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
