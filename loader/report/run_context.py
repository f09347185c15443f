"""The context of a run for its report: options, versions, region, timings."""

import platform
from dataclasses import dataclass, field
from typing import Annotated, Any

from loader.package_version import package_version
from loader.redaction import redact, without_secrets
from loader.report.field_annotations import Amount, Keywords, doc
from loader.report.metrics import Allowed
from loader.settings import Settings

NOT_SHOWN = frozenset({"spark", "debug", "json"})
BILLING_MODES = Keywords(enum=["PAY_PER_REQUEST", "PROVISIONED", None])
SETTINGS = "Options of the command, and `spark`: the Spark properties, with secrets masked."
VERSIONS = "Versions of `loader`, `pyspark` and `python`."


@dataclass(frozen=True)
class RunContext:
    """How, where and how long a run ran. `apply_began` is in seconds since 1970.

    `changes_before` are the changes that earlier applies wrote. `allowed` are the limits while it
    wrote.
    """

    start_seconds: Annotated[Amount, doc("Wall time of the start, shared by all exports.")] = 0.0
    check_seconds: Annotated[Amount, doc("Wall time of the checks, shared by all exports.")] = 0.0
    apply_seconds: Annotated[Amount, doc("Wall time of writing to DynamoDB.")] = 0.0
    apply_began: float = 0.0
    changes_before: int = 0
    region: Annotated[str, doc("AWS region of the table.")] = ""
    billing_mode: Annotated[str | None, BILLING_MODES, doc("Billing mode, or null.")] = None
    write_limit: Annotated[str, doc("How fast the run might write at its begin, in words.")] = ""
    allowed: Allowed = ()
    settings: Annotated[dict[str, Any], doc(SETTINGS)] = field(default_factory=dict)
    versions: Annotated[dict[str, str], doc(VERSIONS)] = field(default_factory=dict)
    load_command: str = ""
    resume_command: str = ""


def shown_settings(settings: Settings) -> dict[str, Any]:
    """The options of a run as JSON values. Secrets among the Spark properties are masked."""
    shown = {
        name: _json_value(value) for name, value in vars(settings).items() if name not in NOT_SHOWN
    }
    return {**shown, "spark": redact(settings.spark)}


def _json_value(value: Any) -> Any:
    if isinstance(value, dict):
        return without_secrets(value)
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def versions(spark: str) -> dict[str, str]:
    """The versions that a bug report needs, with the version of the Spark session."""
    return {"loader": package_version(), "pyspark": spark, "python": platform.python_version()}
