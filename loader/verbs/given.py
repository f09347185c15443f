"""The settings that a command line gives."""

import argparse
from typing import Any

from loader.settings import Settings


def settings_of(options: argparse.Namespace) -> Settings:
    """The options that are given, before dbt's variables, before the defaults."""
    from loader.dbt.environment import dbt_options

    of_project = dbt_options() if "project_dir" in vars(options) else {}
    return Settings(**{**of_project, **given_settings(options)})


def given_settings(options: argparse.Namespace) -> dict[str, Any]:
    from loader.dbt.environment import read_variables

    names = Settings.__dataclass_fields__
    given = {n: value for n, value in vars(options).items() if n in names and value is not None}
    if "spark" in given:
        given["spark"] = dict(given["spark"])
    if "vars" in given:
        given["vars"] = read_variables(given["vars"])
    return given
