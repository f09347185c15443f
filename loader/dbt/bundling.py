"""dbt project → bundle: the manifest, the results of dbt's tests, and the profile, no secret."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import Any

from loader.dbt.bundle import SCHEMA, Bundle, BundledWarehouse, Origin
from loader.dbt.gate import read_results
from loader.dbt.manifest import artifacts_folder, read_manifest
from loader.dbt.profile import Profile, chosen_profile
from loader.dbt.project import read_project
from loader.errors import Refused, subject_of
from loader.package_version import package_version
from loader.redaction import hide, secrets_of
from loader.settings import Settings
from loader.utc_time import utc_text
from loader.warehouse.connection import Connection
from loader.warehouse.jdbc_source import VARIABLE
from loader.warehouse.sign_in import DATABASE, SignIn

# A shorter secret may be the name of a database by chance.
LEAST_SECRET = 8
# They have one of a few values, whatever the profile has.
CONSTANTS = ("warehouse.kind", "warehouse.sign_in.method")
# dbt records the variables DBT_ENV_CUSTOM_ENV_… in its artifacts, under the rest of their names.
# https://docs.getdbt.com/reference/artifacts/dbt-artifacts#common-metadata
COMMITS = ("GIT_COMMIT", "GIT_SHA")
COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")


def make_bundle(
    settings: Settings, names: Sequence[str], password_variable: str | None = None
) -> Bundle:
    """The bundle of the named exports, or of all; raises `Refused` with all problems.

    `password_variable` is the environment variable that has the password where the bundle is used,
    by default that of the profile. Tests of dbt that have not passed are in the bundle.
    """
    inputs = read_project(settings, names, signs_in=False)
    problems = list(inputs.problems)
    if password_variable is not None and settings.secret:
        problems.append(
            "--password-env must not be given with --secret, which has the password, got both: "
            "remove one of them"
        )
    if password_variable is not None and settings.jdbc:
        problems.append(
            "--password-env must not be given with --jdbc, whose file has password_env, got both: "
            "remove one of them"
        )
    connection, sign_in, profile = inputs.connection, SignIn(), None
    if connection and connection.source:
        # The user is that of the variable where the bundle is used.
        sign_in = replace(connection.sign_in, user="")
    elif connection:
        profile = chosen_profile(settings)
        try:
            sign_in = _sign_in(connection, profile, password_variable)
        except Refused as refused:
            problems += refused.problems
    if problems or connection is None:
        raise Refused(problems, subject_of(export.name for export in inputs.exports))
    bundle = Bundle(
        schema=SCHEMA,
        loader=package_version(),
        made=utc_text(datetime.now(timezone.utc)),
        origin=_origin(settings, profile),
        warehouse=BundledWarehouse(
            kind=connection.kind,
            host=connection.host,
            port=connection.port,
            database=connection.database,
            parameters=connection.parameters,
            sign_in=sign_in,
            source=connection.source,
        ),
        exports=inputs.exports,
        tables=inputs.tables,
        gates={name: replace(gate, skipped=False) for name, gate in inputs.gates.items()},
    )
    _require_no_secret(bundle, profile, connection)
    return bundle


def _sign_in(connection: Connection, profile: Profile, password_variable: str | None) -> SignIn:
    """How the profile signs in, with the name of the variable instead of the password."""
    how, secrets = connection.sign_in, connection.secrets
    if secrets.access_key_id:
        raise Refused(
            "dbt profile must have no access_key_id for a bundle, got one: sign in with a role or "
            "iam_profile, or give --secret"
        )
    if how.method != DATABASE:
        return how
    if password_variable is not None:
        if not VARIABLE.match(password_variable) or password_variable == secrets.password:
            raise Refused(
                "--password-env must be the name of an environment variable, got another text: "
                "give the name, not the password"
            )
        return replace(how, password_variable=password_variable)
    if profile.password_variable is None:
        raise Refused(
            "password of the dbt profile must be one env_var() for a bundle, got another text: "
            "write \"{{ env_var('REDSHIFT_PASSWORD') }}\", or give --password-env or --secret"
        )
    return replace(how, password_variable=profile.password_variable)


def _origin(settings: Settings, profile: Profile | None) -> Origin:
    """The project and dbt's last command.

    A manifest that dbt parses partially keeps the variables of its first command, so they are taken
    from the results if these are of the last command too.
    """
    metadata = read_manifest(settings).get("metadata") or {}
    results = (read_results(artifacts_folder(settings)) or {}).get("metadata") or {}
    is_same = results.get("invocation_id") == metadata.get("invocation_id")
    recorded = (results.get("env") if is_same else None) or metadata.get("env") or {}
    commits = (str(recorded.get(name, "")) for name in COMMITS)
    return Origin(
        project=str(metadata.get("project_name") or ""),
        profile=profile.name if profile else "",
        target=profile.target if profile else settings.target or "",
        invocation=str(metadata.get("invocation_id") or ""),
        generated=str(metadata.get("generated_at") or ""),
        commit=next((commit for commit in commits if COMMIT.fullmatch(commit)), ""),
    )


def _require_no_secret(bundle: Bundle, profile: Profile | None, connection: Connection) -> None:
    """Raise `Refused` if a field has a secret of the profile by mistake."""
    secrets = {connection.secrets.password or ""}
    if profile:
        secrets |= {*secrets_of(profile.declared, dict(os.environ))}
    if connection.source:
        secrets.add(os.environ.get(connection.source.password_env, ""))
    where, what = ("dbt profile", "profile") if profile else ("--jdbc file", "file")
    # Redshift's driver gets some names in lower case.
    long = [secret.lower() for secret in secrets if len(secret) >= LEAST_SECRET]
    problems = [
        f"{place} of a bundle must not have a secret, got one of the {where}: correct the {what}"
        for place, text in _texts(asdict(bundle))
        if place not in CONSTANTS and hide(text.lower(), long) != text.lower()
    ]
    if problems:
        raise Refused(problems, "the bundle")


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Each text in a document, with its place: `warehouse.host`."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, f"{place}.{name}".lstrip("."))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner, place)
    else:
        yield place, str(value)
