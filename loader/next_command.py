"""The commands that continue after a run, built from its options: none of them is lost."""

import json
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from loader.redaction import without_secrets
from loader.settings import Settings

# The options that only a plan uses; plan.json has them for the commands after it.
READ_BY_PLAN = frozenset(
    {
        *("project_dir", "profiles_dir", "profile", "target", "vars", "bundle", "secret"),
        *("storage", "max_gate_age", "latest", "skip_dbt_gate", "full"),
        *("jdbc", "queries", "prices"),
        *("min_rows", "max_deletes", "max_changes", "write_capacity"),
        *("dynamodb_role", "dynamodb_external_id"),
    }
)
# The options that only a command which writes to the table has.
WRITING = frozenset(
    {
        *("requests", "retry_seconds", "lock_seconds", "pace_port", "keep", "keep_runs"),
        *("metrics", "otel", "notify", "notify_on", "pre_warm", "yes"),
    }
)
# Exact numbers hold for one plan: no other command has them.
ALLOWANCES = frozenset({"allow_deletes", "allow_changes"})
# No command that continues after a run scans the table.
SCAN = frozenset({"read_capacity"})
# Warm throughput stays, and nothing is paid for without a question.
PAID = frozenset({"pre_warm", "yes"})
# The options of `loader resume` that its plan does not know.
RESUME = frozenset({"storage", "allow_plain_http", "otel"})
# The options of the dbt project or its bundle, in the order of the settings.
PROJECT = ("project_dir", "profiles_dir", "profile", "target", "vars", "bundle")
# The options that say which table it is, in the order of the settings.
TABLE = (*PROJECT, "dynamodb_role", "dynamodb_external_id")
# The options of `loader state adopt` that say which table and state it is.
ADOPT = frozenset({*TABLE, "storage", "allow_plain_http"})
# As messages about the files of an export have it: they do not know the project.
ADOPT_COMMAND = re.compile(r"(?<=`)loader state adopt [^`]+(?=`)")


def load_command(settings: Settings, export: str, allowances: Sequence[str] = ()) -> str:
    """The command that loads the export again; `allowances` take precedence over its options."""
    options = [*_options(settings), *allowances]
    return shlex.join(["loader", "load", "--export", export, *options])


def plan_command(settings: Settings, export: str) -> str:
    """The command that plans a load of the export."""
    return shlex.join(["loader", "plan", "--export", export, *_options(settings, WRITING)])


def apply_command(settings: Settings, folder: str, allowances: Sequence[str] = ()) -> str:
    """The command that applies the changeset in a run's folder."""
    options = _options(settings, READ_BY_PLAN)
    return shlex.join(["loader", "apply", folder, *allowances, *options])


def again_command(
    settings: Settings, export: str, kept: str, allowances: Sequence[str] = ()
) -> str:
    """The command that repeats one that wrote nothing; `kept` is the folder of its kept plan.

    The allowances of the settings hold for the same plan only.
    """
    if kept:
        given = [(name, getattr(settings, name)) for name in sorted(ALLOWANCES)]
        words = [word for name, n in given if n is not None for word in _words(name, n)]
        return apply_command(settings, kept, allowances or words)
    return load_command(settings, export, allowances)


def resume_command(settings: Settings, export: str) -> str:
    """The command that finishes the unfinished run of an export."""
    omitted = {field.name for field in fields(settings)} - RESUME
    return shlex.join(["loader", "resume", export, *_options(settings, omitted)])


def adopt_command(settings: Settings, export: str) -> str:
    """The command that takes what the table has as the state of an export."""
    omitted = {field.name for field in fields(settings)} - ADOPT
    return shlex.join(["loader", "state", "adopt", export, *_options(settings, omitted)])


def with_project(message: str, given: Mapping[str, Any]) -> str:
    """The message, whose `loader state adopt` has the options of the table that are given."""
    words = [word for name in TABLE if name in given for word in _words(name, given[name])]
    return ADOPT_COMMAND.sub(lambda found: " ".join([found[0], shlex.join(words)]).strip(), message)


def option(name: str) -> str:
    """The option of a field of the settings."""
    return "--spark-conf" if name == "spark" else f"--{name.replace('_', '-')}"


def _options(settings: Settings, omitted: Collection[str] = ()) -> list[str]:
    """The options that differ from their defaults, in the order of the settings."""
    words = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        made = field.default_factory
        default = field.default if made is MISSING else made()
        if field.name not in ALLOWANCES | SCAN | PAID | set(omitted) and value != default:
            words += _words(field.name, value)
    return words


def _words(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [option(name)]
    if name == "spark":
        properties = without_secrets(value).items()
        return [word for key, text in properties for word in (option(name), f"{key}={text}")]
    if isinstance(value, dict):
        return [option(name), json.dumps(without_secrets(value), ensure_ascii=False)]
    return [option(name), str(value).removesuffix(".0") if isinstance(value, float) else str(value)]
