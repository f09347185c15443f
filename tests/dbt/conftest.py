"""dbt without a warehouse: parsing and compiling need none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# No server has this name, so whatever connects fails.
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
    """Run commands, warnings being errors, with all that dbt writes in the folder."""

    def run(
        folder: Path, *commands: list[str], env: dict[str, str] = NOWHERE, project: str = ""
    ) -> Any:
        outside = {k: v for k, v in os.environ.items() if not k.startswith(("REDSHIFT_", "DBT_"))}
        script = Path(__file__).with_name("run_dbt.py")
        process = subprocess.run(
            [sys.executable, str(script), str(folder), *filter(None, [project])],
            input=json.dumps([["--warn-error", *command] for command in commands]),
            env=outside | env,
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return json.loads(process.stdout)

    return run


@pytest.fixture(scope="session")
def compiled(run_dbt: RunDbt, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a `dbt compile` with nothing in the environment, as an editor runs it."""
    folder = tmp_path_factory.mktemp("compiled")
    [result] = run_dbt(folder, ["compile", "--no-populate-cache"], env={})
    assert result["success"], result["error"] + result["output"]
    return folder


@pytest.fixture(scope="session")
def manifest(compiled: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((compiled / "manifest.json").read_text())
    return result
