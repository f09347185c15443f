"""What an account cannot know by counting: how the run was told to run, where it ran, how long."""

import platform
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib import metadata
from typing import Any

from loader.redaction import redact
from loader.settings import Settings

PACKAGE = "redshift-to-dynamodb"

NOT_TOLD = frozenset({"spark", "debug"})


@dataclass(frozen=True)
class RunContext:
    """Beside the counts of a report. Secrets are masked.

    `start_seconds` and `check_seconds` are of the process that applied, shared by all its
    exports. `apply_began` is in seconds since 1970. `billing_mode` is DynamoDB's own word.
    """

    start_seconds: float = 0.0
    check_seconds: float = 0.0
    apply_seconds: float = 0.0
    apply_began: float = 0.0
    region: str = ""
    billing_mode: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    load_command: str = ""
    apply_command: str = ""

    def to_dict(self) -> dict[str, Any]:
        """What a report shows of it; the commands are shown where one is needed."""
        fields = asdict(self)
        began = datetime.fromtimestamp(fields.pop("apply_began"), timezone.utc)
        del fields["load_command"], fields["apply_command"]
        return {"apply_began": began.isoformat(timespec="seconds"), **fields}


def shown_settings(settings: Settings) -> dict[str, Any]:
    """The settings that shape a run, as JSON has them; secrets among Spark's are masked."""
    shown = {}
    for name, value in vars(settings).items():
        if name not in NOT_TOLD:
            simple = value is None or isinstance(value, (bool, int, float))
            shown[name] = value if simple else str(value)
    return {**shown, "spark": redact(settings.spark)}


def versions(spark: str) -> dict[str, str]:
    """The versions that a bug report needs; that of the session is given."""
    try:
        loader = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        loader = "not installed as a package"
    return {"loader": loader, "pyspark": spark, "python": platform.python_version()}
