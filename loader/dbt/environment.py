"""dbt's environment variables and variables, which are options of the loader too."""

import json
import os
from pathlib import Path
from typing import Any

from loader.dbt.installed import require_dbt
from loader.errors import Refused


def dbt_variable(name: str) -> str | None:
    """The value of DBT_ENGINE_<name> or, without it, of DBT_<name>, which dbt 1.11 reads alike.

    dbt ignores an empty value.
    https://docs.getdbt.com/reference/global-configs/environment-variable-configs
    """
    values = (os.environ.get(n) for n in (name.replace("DBT_", "DBT_ENGINE_", 1), name))
    return next((value for value in values if value), None)


def dbt_options() -> dict[str, Any]:
    """The options that dbt's variables set; the project may be in a folder above this one."""
    project, profiles = dbt_variable("DBT_PROJECT_DIR"), dbt_variable("DBT_PROFILES_DIR")
    here = Path.cwd()
    # Not Path.exists, which raises PermissionError for a folder of another user.
    above = (f for f in (here, *here.parents) if os.path.exists(f / "dbt_project.yml"))
    options = {
        "project_dir": Path(project) if project else next(above, None),
        "profiles_dir": Path(profiles) if profiles else None,
        "profile": dbt_variable("DBT_PROFILE"),
        "target": dbt_variable("DBT_TARGET"),
    }
    return {name: value for name, value in options.items() if value is not None}


def read_variables(text: str) -> dict[str, Any]:
    """The variables of `--vars`, which is YAML as in dbt."""
    require_dbt()
    import yaml

    try:
        # Dates become text, because the commands and files of a run have the variables in JSON.
        variables = json.loads(json.dumps(yaml.safe_load(text), default=str))
    except (yaml.YAMLError, TypeError, ValueError):  # TypeError, ValueError: JSON cannot have it
        variables = None
    if not isinstance(variables, dict):
        raise Refused(f"--vars must be a mapping in YAML, got {text}: write 'name: value'")
    return variables
