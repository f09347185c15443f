"""The manifest that dbt writes for a project, and its folder."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from loader.dbt.environment import dbt_variable
from loader.dbt.profile import chosen_profile
from loader.dbt.rendering import PROBLEMS, has_jinja, rendered
from loader.errors import Refused, reason
from loader.settings import Settings

MODE = "Check its owner and its mode"


def read_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest of the project; raises `Refused` if there is none."""
    path = artifacts_folder(settings) / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused(
            f"dbt manifest {path} must exist, got none: "
            f"run `dbt build --project-dir {settings.project_dir}` (or `dbt parse`) first"
        ) from None
    except OSError as error:
        raise Refused(f"cannot read dbt manifest {path}: {error.strerror}. {MODE}") from None
    except ValueError as error:
        raise Refused(f"cannot read dbt manifest {path}: {error}. Run `dbt parse` again") from None
    if not isinstance(manifest, dict):
        raise Refused(
            f"dbt manifest {path} must be a JSON object, got {manifest}: run `dbt parse` again"
        )
    return manifest


def artifacts_folder(settings: Settings) -> Path:
    """The folder of dbt's artifacts; raises `Refused` if `project_dir` is not a dbt project.

    As in dbt, this is DBT_TARGET_PATH, `target-path` of dbt_project.yml, or `target`.
    """
    project_dir = settings.project_dir
    configuration = project_dir / "dbt_project.yml"
    try:
        declared = yaml.safe_load(configuration.read_text(encoding="utf-8")) or {}
    except (FileNotFoundError, NotADirectoryError):
        raise Refused(
            f"--project-dir must be a folder with a dbt_project.yml, got {project_dir}: "
            "name your dbt project"
        ) from None
    except OSError as error:
        raise Refused(
            f"cannot read dbt project file {configuration}: {error.strerror}. {MODE}"
        ) from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        declared = reason(error)
    if not isinstance(declared, dict):
        raise Refused(f"{configuration} must be a mapping in YAML, got {declared}: fix it")
    folder = dbt_variable("DBT_TARGET_PATH") or declared.get("target-path") or "target"
    return project_dir / _rendered_path(folder, settings)


def _rendered_path(text: str, settings: Settings) -> str:
    """`target-path` as dbt renders it: `target` is the target that the options choose."""
    if not has_jinja(text):
        return text
    profile = chosen_profile(settings)
    target = SimpleNamespace(
        name=profile.target,
        profile_name=profile.name,
        schema=profile.credentials.schema,
        type=profile.credentials.type,
    )
    try:
        return str(rendered(text, settings.vars, target=target))
    except PROBLEMS as error:
        raise Refused(
            f"target-path of dbt_project.yml must use env_var, var and target only, got {text} "
            f"({error}): set DBT_TARGET_PATH for dbt and the loader"
        ) from None
