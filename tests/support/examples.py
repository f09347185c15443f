"""The examples of deploy/ as a user has them: with constants of their own."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from tests.support.repository import DBT_PROJECT, REPOSITORY

# The environment of dbt and the loader, which is not that of the orchestrator.
BIN = REPOSITORY / ".venv" / "bin"


def parsed_project(folder: Path, files: Mapping[str, str] | None = None) -> Path:
    """A copy of the project, with more files, and a manifest of the target `sandbox`."""
    project = folder / "dbt_project"
    shutil.copytree(DBT_PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    for name, text in (files or {}).items():
        (project / name).write_text(text)
    dirs = ["--project-dir", str(project), "--profiles-dir", str(project)]
    subprocess.run([BIN / "dbt", "--quiet", "parse", *dirs, "--target", "sandbox"], check=True)
    return project


def example(path: str, folder: Path, **constants: str) -> ModuleType:
    """The module of an example, in a copy whose constants have these expressions."""
    text = (REPOSITORY / "deploy" / path).read_text()
    for name, expression in constants.items():
        text, count = re.subn(rf"^{name} = [^#\n]*", f"{name} = {expression}  ", text, flags=re.M)
        assert count == 1, f"{path} has no constant {name}"
    copy = folder / Path(path).name
    copy.write_text(text)
    spec = importlib.util.spec_from_file_location(copy.stem, copy)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
