"""The commands that go on after a run."""

import shlex

from loader.settings import Settings


def load_command(settings: Settings, export: str) -> str:
    """The command that loads this export again, with the settings that say what and where."""
    words = ["loader", "load", "--export", export]
    for name in ("project_dir", "profiles_dir", "target", "storage"):
        value = getattr(settings, name)
        if value != Settings.__dataclass_fields__[name].default:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join([*words, *_consent(settings)])


def apply_command(settings: Settings, folder: str) -> str:
    """The command that applies the changeset in a run's folder."""
    return shlex.join(["loader", "load", "--changeset", folder, *_consent(settings)])


def _consent(settings: Settings) -> list[str]:
    return ["--allow-plain-http"] if settings.allow_plain_http else []
