"""The commands that continue after a run."""

import shlex

from loader.settings import Settings


def load_command(settings: Settings, export: str) -> str:
    """The command that loads the export again, from the same target and into the same storage."""
    words = ["loader", "load", "--export", export]
    for name in ("project_dir", "profiles_dir", "target", "storage"):
        value = getattr(settings, name)
        if value != Settings.__dataclass_fields__[name].default:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join([*words, *_plain_http(settings)])


def apply_command(settings: Settings, folder: str) -> str:
    """The command that applies the changeset in a run's folder."""
    return shlex.join(["loader", "load", "--changeset", folder, *_plain_http(settings)])


def _plain_http(settings: Settings) -> list[str]:
    return ["--allow-plain-http"] if settings.allow_plain_http else []
