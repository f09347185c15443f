"""The options of a run that continues a plan: those of the plan, unless they are given again."""

import socket
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from loader.next_command import ALLOWANCES, PAID, PROJECT
from loader.plan.result import Plan
from loader.redaction import HIDDEN, without_secrets
from loader.settings import Settings
from loader.spark import properties, session
from loader.spark.properties import DEPLOY_MODE, MASTER

# They hold for one command: a switch of the plan could not be switched off.
ONCE = ("allow_plain_http", "debug", "json", "keep", "otel", *sorted(ALLOWANCES | PAID))
# Properties of Spark that hold on the machine of the plan only.
OF_MACHINE = frozenset(
    {
        *("spark.driver.host", "spark.driver.bindAddress", "spark.driver.port"),
        *("spark.driver.blockManager.port", "spark.local.dir"),
    }
)
PATHS = ("project_dir", "profiles_dir", "jdbc", "prices")


def record(plan: Plan, settings: Settings) -> None:
    """Save the options in the plan, without secrets."""
    values = vars(settings).items()
    mappings: dict[str, Any] = {n: without_secrets(v) for n, v in values if isinstance(v, dict)}
    plan.settings = replace(settings, **mappings)
    plan.working_folder, plan.host = str(Path.cwd()), socket.gethostname()


def continued(plan: Plan, given: Mapping[str, Any], once: Collection[str] = ONCE) -> Settings:
    """The options of the plan but for `once`, replaced by those that are given."""
    values = vars(_from_this_folder(plan)).items()
    kept = {name: value for name, value in values if name not in once}
    spark = {**_spark(plan), **given.get("spark", {})}
    return Settings(**{**kept, **given, "spark": spark})


def _spark(plan: Plan) -> dict[str, str]:
    """The plan's properties of Spark, but for those that this machine or this start decides.

    Raises `Refused` if PYSPARK_SUBMIT_ARGS has more than properties.
    """
    decided = {*OF_MACHINE} if plan.host != socket.gethostname() else set()
    if session.is_running():
        decided |= {MASTER, *session.OF_JVM, *OF_MACHINE}
    elif MASTER in properties.of_environment():
        decided |= {MASTER, DEPLOY_MODE}
    saved = plan.settings.spark.items()
    return {name: text for name, text in saved if name not in decided and text != HIDDEN}


def _from_this_folder(plan: Plan) -> Settings:
    """The options of the plan, with paths that hold in the current folder."""
    if plan.working_folder == str(Path.cwd()):
        return plan.settings
    there, settings = Path(plan.working_folder), plan.settings
    names = [name for name in PATHS if not settings.bundle or name not in PROJECT]
    paths: dict[str, Any] = {
        name: there / path for name in names if (path := getattr(settings, name)) is not None
    }
    for name in ("storage", "bundle"):
        place = getattr(settings, name)
        if place is not None and not place.startswith("s3://"):
            paths[name] = str(there / place)
    return replace(settings, **paths)
