"""Read a simple dbt target without dbt, whose import takes 2 s.

A target is simple if it is of type redshift or postgres with a password, and its values use only
text, `env_var` and dbt's filters. dbt itself reads all other targets, and reports every error.
"""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined, TemplateError

# https://docs.getdbt.com/reference/dbt-jinja-functions/as_native: all values are text here.
FILTERS = ("as_text", "as_bool", "as_native", "as_number")
OTHER_NAMES = {"dbname": "database", "pass": "password"}
NEEDED = ("type", "host", "user", "password", "database", "schema")
# Errors in a file, its YAML, its Jinja or its structure.
PROBLEMS = (
    OSError,
    yaml.YAMLError,
    TemplateError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
)
SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def plain_credentials(project_dir: Path, profiles_dir: Path, target: str | None) -> Any | None:
    """The fields of dbt's credentials that a connection needs; None if the target is not simple."""
    try:
        project = _mapping(project_dir / "dbt_project.yml")
        profile = _mapping(profiles_dir / "profiles.yml")[_rendered(project["profile"])]
        name = target or _rendered(profile.get("target", "default"))
        fields = {
            OTHER_NAMES.get(field, field): _rendered(value)
            for field, value in profile["outputs"][name].items()
        }
        fields["port"] = int(fields["port"])
    except PROBLEMS:
        return None  # dbt reports the error
    if fields.get("method", "database") != "database" or fields.get("sslmode") not in SSLMODES:
        return None
    if not all(isinstance(fields.get(name), str) and fields[name] for name in NEEDED):
        return None
    return SimpleNamespace(**fields)


def _mapping(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise TypeError(f"{path} must be a mapping")
    return content


def _env_var(name: str, default: str | None = None) -> str:
    """dbt's function; raises LookupError if the variable is missing."""
    return os.environ[name] if default is None else os.environ.get(name, default)


def _rendered(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701  no HTML
    environment.filters |= dict.fromkeys(FILTERS, str)
    return environment.from_string(value).render(env_var=_env_var)
