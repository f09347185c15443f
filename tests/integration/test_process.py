"""The loader as a process: the folder that it is started in, its output, its signals."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sandbox import Sandbox
from tests.support.projects import Project, export, project

pytestmark = pytest.mark.integration

CONSOLE_SCRIPT = [str(Path(sys.executable).with_name("loader"))]
MODULE = [sys.executable, "-m", "loader"]
DATA = """
create schema if not exists analytics;
drop table if exists analytics.process_items cascade;
create table analytics.process_items as
select 'u' || n as user_id, n % 4 as partition_id, n as line_number, 'i' || n as item_id,
    now()::timestamp as purchased_at
from generate_series(1, 40) as n
"""
RELATION = "analytics.process_items"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module", autouse=True)
def _data(sandbox: Sandbox) -> None:
    with closing(sandbox.connect()) as session, session, session.cursor() as cursor:
        cursor.execute(DATA)


@pytest.fixture
def small(tmp_path: Path, request: pytest.FixtureRequest) -> Project:
    """40 users in 4 partitions, for a table of the test's own."""
    table = request.node.name.partition("[")[0][-80:]
    return project(tmp_path / "project", {"small": export(table, partitions=4)}, RELATION)


@pytest.fixture
def run(sandbox: Sandbox, tmp_path: Path) -> Run:
    """Run the loader in a process whose current folder is `cwd` of the test."""
    folder = tmp_path / "cwd"
    folder.mkdir()

    def start(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | sandbox.env() | variables
        return subprocess.run(
            words, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    return start


def load(project: Project) -> list[str]:
    return ["load", *project.arguments, *project.storage, "--create-table"]


def test_a_module_in_the_current_folder_replaces_none_of_the_driver_and_the_workers(
    run: Run, small: Project, tmp_path: Path
) -> None:
    for name in ("json", "queue", "pandas", "loader"):
        (tmp_path / "cwd" / f"{name}.py").write_text("raise SystemExit('the current folder')")

    loaded = run(*CONSOLE_SCRIPT, *load(small))
    (tmp_path / "cwd" / "loader.py").unlink()
    helped = run(*MODULE, "load", "--help")

    assert (loaded.returncode, loaded.stdout.split(" in ")[0]) == (0, "small   complete"), loaded
    assert (helped.returncode, helped.stdout[:18]) == (0, "usage: loader load"), helped
