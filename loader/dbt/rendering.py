"""Text of dbt_project.yml and profiles.yml without dbt: Jinja with `env_var` and `var`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined, TemplateError

# https://docs.getdbt.com/reference/dbt-jinja-functions/as_native: all values are text here.
FILTERS = ("as_text", "as_bool", "as_native", "as_number")
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


def read_mapping(path: Path) -> dict[str, Any]:
    """The YAML mapping of a file; raises one of `PROBLEMS`."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise TypeError(f"{path} must be a mapping")
    return content


def has_jinja(value: Any) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def rendered(value: Any, variables: Mapping[str, Any], **context: Any) -> Any:
    """A text as dbt renders it; raises one of `PROBLEMS` where it needs more of dbt."""
    if not has_jinja(value):
        return value

    def var(name: str, default: Any = None) -> Any:
        known = variables[name] if default is None else variables.get(name, default)
        if has_jinja(known):
            raise ValueError("dbt renders the values of variables too")
        return known

    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701  no HTML
    environment.filters |= dict.fromkeys(FILTERS, str)
    return environment.from_string(value).render(env_var=_env_var, var=var, **context)


def _env_var(name: str, default: str | None = None) -> str:
    """dbt's function; raises LookupError if the variable is missing."""
    return os.environ[name] if default is None else os.environ.get(name, default)
