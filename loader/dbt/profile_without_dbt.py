"""Read a simple dbt target without dbt, whose import takes 2 s.

A target is simple if it is of type redshift or postgres with a password, and its values use only
text, `env_var`, `var` and dbt's filters. dbt itself reads all other targets, and reports every
error.
"""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from loader.dbt.rendering import PROBLEMS, read_mapping, rendered

OTHER_NAMES = {"dbname": "database", "pass": "password"}
NEEDED = ("type", "host", "user", "password", "database", "schema")
LOGIN = ("user", "password", "pass")
SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def plain_target(
    project_dir: Path,
    profiles_dir: Path,
    profile: str | None,
    target: str | None,
    variables: Mapping[str, Any],
    has_user: bool = True,
) -> tuple[str, str, Any] | None:
    """Profile, target and the credentials that a connection needs; None if it is not simple.

    Without a profile, it is the project's; without a target, the profile's default. User and
    password are left out if it is not the profile that `has_user`.
    """
    omitted = () if has_user else LOGIN
    try:
        project = read_mapping(project_dir / "dbt_project.yml")
        profile = profile or str(rendered(project["profile"], variables))
        outputs = read_mapping(profiles_dir / "profiles.yml")[profile]
        target = target or str(rendered(outputs.get("target", "default"), variables))
        fields = {
            OTHER_NAMES.get(field, field): rendered(value, variables)
            for field, value in outputs["outputs"][target].items()
            if field not in omitted
        }
        fields["port"] = int(fields["port"])
    except PROBLEMS:
        return None  # dbt reports the error
    # Without sslmode, dbt-postgres has no value, and dbt-redshift has prefer.
    default = "prefer" if fields.get("type") == "redshift" else None
    if fields.setdefault("sslmode", default) not in SSLMODES:
        return None
    if fields.get("method", "database") != "database":
        return None
    if not all(
        isinstance(fields.get(name), str) and fields[name] for name in NEEDED if name not in omitted
    ):
        return None
    return profile, target, SimpleNamespace(**fields)
