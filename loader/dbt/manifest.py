"""The manifest that dbt writes for a project."""

import json
import os
from pathlib import Path
from typing import Any

import yaml

from loader.errors import Refused


def read_manifest(project_dir: Path) -> dict[str, Any]:
    """The manifest of the project; raises `Refused` if there is none."""
    path = artifacts_folder(project_dir) / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused(
            f"dbt manifest {path} must exist, got none: "
            f"run `dbt build --project-dir {project_dir}` (or `dbt parse`) first"
        ) from None
    except ValueError as error:
        raise Refused(f"cannot read dbt manifest {path}: {error}. Run `dbt parse` again") from None
    if not isinstance(manifest, dict):
        raise Refused(
            f"dbt manifest {path} must be a JSON object, got {manifest}: run `dbt parse` again"
        )
    return manifest


def artifacts_folder(project_dir: Path) -> Path:
    """The folder of dbt's artifacts; raises `Refused` if `project_dir` is not a dbt project.

    As in dbt, this is DBT_TARGET_PATH, `target-path` of dbt_project.yml, or `target`.
    """
    configuration = project_dir / "dbt_project.yml"
    if not configuration.is_file():
        raise Refused(
            f"--project-dir must be a folder with a dbt_project.yml, got {project_dir}: "
            "name your dbt project"
        )
    try:
        declared = yaml.safe_load(configuration.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        declared = " ".join(str(error).split())
    if not isinstance(declared, dict):
        raise Refused(f"{configuration} must be a mapping in YAML, got {declared}: fix it")
    target = os.environ.get("DBT_TARGET_PATH") or declared.get("target-path") or "target"
    return project_dir / target
