"""Fixtures for dbt commands that need no warehouse: parse and compile."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.repository import DBT_PROJECT
from tests.support.run_dbt import run_commands

# No server has this name, so every connection fails.
NOWHERE = {
    "REDSHIFT_HOST": "warehouse.invalid",
    "REDSHIFT_DATABASE": "database",
    "REDSHIFT_USER": "user",
    "REDSHIFT_PASSWORD": "password",
    "REDSHIFT_SCHEMA": "analytics",
}

RunDbt = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def run_dbt() -> RunDbt:
    """Run commands with warnings as errors; dbt writes everything to the folder."""

    def run(
        folder: Path,
        *commands: list[str],
        env: dict[str, str] = NOWHERE,
        project: Path = DBT_PROJECT,
    ) -> Any:
        strict = [["--warn-error", *command] for command in commands]
        return run_commands(folder, project, strict, env)

    return run


@pytest.fixture(scope="session")
def compiled(run_dbt: RunDbt, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a `dbt compile` with an empty environment, as an editor runs it."""
    folder = tmp_path_factory.mktemp("compiled")
    [result] = run_dbt(folder, ["compile", "--no-populate-cache"], env={})
    assert result["success"], result["error"] + result["output"]
    return folder


@pytest.fixture(scope="session")
def manifest(compiled: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((compiled / "manifest.json").read_text())
    return result
