"""The loader as a process: the folder that it is started in, its output, its signals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from tests.faults.world import Outcome
from tests.support.projects import Project, export, project
from tests.support.relations import one_row_per_user

pytestmark = pytest.mark.integration

CONSOLE_SCRIPT = [str(Path(sys.executable).with_name("loader"))]
MODULE = [sys.executable, "-m", "loader"]
RELATION = "analytics.process_items"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module", autouse=True)
def _data(sandbox: Sandbox) -> None:
    one_row_per_user(sandbox, RELATION, 40)


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


def test_an_output_that_cannot_be_written_ends_no_command(
    run: Run, small: Project, tmp_path: Path
) -> None:
    plan = ["plan", *load(small)[1:]]
    planned = run(*CONSOLE_SCRIPT, *plan, PYTHONIOENCODING="ascii")
    status = f"{CONSOLE_SCRIPT[0]} status small --storage {small.storage[1]}"
    full, closed, none = (
        run("bash", "-c", command)
        for command in (
            f"{status} > /dev/full",
            f"set -o pipefail; {status} | true",
            f"{status} >&- 2>&-",
        )
    )

    first = planned.stdout.splitlines()[0]
    assert (planned.returncode, first.split(" (")[0]) == (
        0,
        f"small   process_items \\u2192 DynamoDB table {table_of(small)}",
    ), planned
    assert (full.returncode, full.stderr) == (
        1,
        "cannot print the result: No space left on device. "
        "A plan or load also has it in its storage\n",
    )
    assert (closed.returncode, closed.stderr) == (0, "")
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "")


def table_of(small: Project) -> str:
    manifest = json.loads((small.folder / "target" / "manifest.json").read_text())
    (exposure,) = manifest["exposures"].values()
    return str(exposure["config"]["meta"]["dynamodb"]["table"])


@pytest.fixture
def two(tmp_path: Path) -> Project:
    """An export that can be read, and one whose rows are not in its partitions."""
    exports = {
        "first": export("process_first", partitions=4),
        "second": export("process_second", partitions=3),
    }
    return project(tmp_path / "project", exports, RELATION)


def test_a_load_with_an_export_that_cannot_be_planned_writes_nothing_and_leaves_a_record(
    loader: Callable[..., Outcome], two: Project, items: Callable[[str], list[Any]]
) -> None:
    loaded = loader(*load(two))

    assert (loaded.code, loaded.out) == (2, "")
    assert "1 problem with export second, nothing was written\n" in loaded.err
    runs = two.folder / "runs"
    # The locks of the storage are empty files.
    files = [path for path in runs.rglob("*") if path.is_file() and path.name != ".versions.lock"]
    names = [path.relative_to(runs) for path in files]
    (run,) = {path.parts[2] for path in names if path.name == "not_written.json"}
    assert sorted(map(str, names)) == [
        f"{name}/{file}"
        for name in ("first", "second")
        for file in ("index.html", f"runs/{run}/not_written.json")
    ]
    status = loader("status", *two.storage)
    heads = [line for line in status.out.splitlines() if "REFUSED: " in line]
    problem = "partition column partition_id must"
    assert (status.code, [head.split(" be ")[0] for head in heads]) == (
        1,
        [f"first   REFUSED: export second: {problem}", f"second   REFUSED: {problem}"],
    )
    assert loader(*load(two), "--export", "first").code == 0
    assert len(items("process_first")) == 40


def test_a_plan_of_several_exports_prints_each_and_keeps_those_that_succeeded(
    loader: Callable[..., Outcome], two: Project
) -> None:
    planned = loader("plan", *load(two)[1:], "--export", "second", "first", "--json")

    assert planned.code == 2
    assert "1 problem with export second, nothing was written\n" in planned.err
    (plan,) = map(json.loads, planned.out.splitlines())
    assert (plan["export"], plan["rows"]) == ("first", 40)
    kept = {path.parent for path in (two.folder / "runs").rglob("plan.json")}
    assert kept == {Path(plan["folder"])}
    assert [path for path in (two.folder / "runs" / "second").rglob("*") if path.is_file()] == []
