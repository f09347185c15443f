"""The settings that a command line gives."""

import argparse
from typing import Any

from loader.errors import Refused
from loader.next_command import PROJECT, option
from loader.settings import Settings


def settings_of(options: argparse.Namespace) -> Settings:
    """The options that are given, before dbt's variables, before the defaults."""
    from loader.dbt.environment import dbt_options

    given = given_settings(options)
    if "bundle" in given:
        return _with_bundle(given)
    of_project = dbt_options() if "project_dir" in vars(options) else {}
    return Settings(**{**of_project, **given})


def _with_bundle(given: dict[str, Any]) -> Settings:
    """The bundle has the project: no option of it and no variable of dbt holds."""
    of_project = [name for name in PROJECT if name in given and name != "bundle"]
    problems = [
        f"{option(name)} must not be given with --bundle, which has the project and its target, "
        "got both: remove one of them"
        for name in of_project
    ]
    try:
        settings = Settings(**{n: value for n, value in given.items() if n not in of_project})
    except Refused as refused:
        problems += refused.problems
    if problems:
        raise Refused(problems, subject="the settings")
    return settings


def given_settings(options: argparse.Namespace) -> dict[str, Any]:
    from loader.dbt.environment import read_variables

    names = Settings.__dataclass_fields__
    given = {n: value for n, value in vars(options).items() if n in names and value is not None}
    if "spark" in given:
        given["spark"] = dict(given["spark"])
    if "vars" in given and "bundle" not in given:
        given["vars"] = read_variables(given["vars"])
    return given
