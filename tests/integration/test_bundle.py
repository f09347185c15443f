"""A bundle is loaded, planned, verified, adopted and shown without its project."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loader.storage.location import Location
from loader.storage.newest_build import Build, newest_build, record_build
from sandbox import Sandbox
from tests.support.manifests import results
from tests.support.projects import export, project
from tests.support.relations import sixty_rows
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
RELATION = "analytics.bundled"
FINISHED = "2026-11-24T22:22:58.6Z"  # tests.support.manifests.results
PAGE = (REPOSITORY / "docs" / "bundle.md").read_text()
# Of the page: its build, its bundle, its load.
_, BUNDLE, LOAD = (
    shlex.split(line) for line in re.findall(r"^(?:dbt build|loader) .*", PAGE, re.MULTILINE)
)
PLACE = BUNDLE[-1]


@pytest.fixture
def bundled(
    sandbox: Sandbox, loader: Run, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The option of the bundle that the command of the page wrote; its project is gone."""
    sixty_rows(sandbox, RELATION)
    exports = {"user_items": export("bundled", partitions=6), "other": export("other_table")}
    chosen = project(tmp_path / "p", exports, RELATION)
    built = json.dumps(results(target="prod"))
    (chosen.folder / "target" / "run_results.json").write_text(built)
    if "example-bucket" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket="example-bucket")
    monkeypatch.setenv("REDSHIFT_SSLMODE", "disable")
    monkeypatch.chdir(chosen.folder)

    made = loader(*BUNDLE[1:], "--storage", str(tmp_path / "runs"))

    first, *lines = made.out.splitlines()
    assert (made.code, made.err) == (0, "")
    assert first.startswith(f"{PLACE}   project , target prod, dbt command one of ")
    assert lines == [
        "  sign-in    user loader_dev and its password in REDSHIFT_PASSWORD",
        "  export     user_items → table bundled · no dbt tests",
        f"  next       loader load --bundle {PLACE}",
    ]
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(chosen.folder)
    return ["--bundle", PLACE]


def test_the_commands_of_a_bundle_need_no_project(
    loader: Run, items: Run, bundled: list[str], tmp_path: Path
) -> None:
    storage = ["--storage", str(tmp_path / "runs")]

    planned = loader("plan", *bundled, *storage, "--create-table", "--latest")
    apply = shlex.split(planned.out.splitlines()[-1].partition(":  ")[2])
    applied = loader(*apply[1:], "--keep")
    assert applied.code == 0, (planned, applied)
    loaded = loader(*LOAD[1:], *storage, "--full", "--keep")
    resumed = loader("resume", "user_items", *storage)
    shown = loader("show", "user_items", "u1", *bundled)
    verified = loader("verify", "user_items", *bundled, *storage, "--json")
    adopted = loader("state", "adopt", "user_items", *bundled, *storage)

    outcomes = [planned, applied, loaded, resumed, shown, verified, adopted]
    assert [outcome.code for outcome in outcomes] == [0] * 7, outcomes
    assert sorted(item["user_id"] for item in items("bundled")) == [f"u{n}" for n in range(6)]
    assert shown.out.startswith("user_id  u1\nitems    10: i1, i7, ")
    assert json.loads(verified.out)["clean"] is True
    assert adopted.out.splitlines()[-1] == (
        f"  loader plan --export user_items --bundle {PLACE} --storage {tmp_path}/runs"
    )
    plans = (tmp_path / "runs" / "user_items" / "runs").glob("*/plan.json")
    settings = [json.loads(path.read_text())["settings"] for path in plans]
    assert {(s["bundle"], s["project_dir"], s["target"]) for s in settings} == {
        (PLACE, "dbt_project", None)
    }


def test_an_old_gate_and_an_older_build_are_refused_together_before_anything_is_written(
    loader: Run, bundled: list[str], tmp_path: Path
) -> None:
    runs = Location(str(tmp_path / "runs"))
    newer = Build("two", "2026-11-25T00:00:00Z")
    recorded = newest_build(runs / "user_items", newer.moment)
    planned = loader("plan", *bundled, "--storage", str(runs), "--create-table", "--latest")
    record_build(runs / "user_items", newer, newer.moment)
    arguments = ["load", *bundled, "--storage", str(runs), "--create-table"]

    refused = loader(*arguments, "--max-gate-age", "90m", "--latest", "--export", "user_items")
    apply = shlex.split(planned.out.splitlines()[-1].partition(":  ")[2])
    kept = loader(*apply[1:])
    loaded = loader(*arguments)

    head, age, build = refused.err.splitlines()
    assert recorded == Build("one", FINISHED)
    assert (refused.code, head) == (2, "2 problems with export user_items, nothing was written")
    assert age.startswith(
        "  1  dbt's results of export user_items must be at most 90m old, got results of "
        f"{FINISHED} at 20"
    )
    assert build == (
        f"  2  export user_items must be of its newest dbt build, got build one of {FINISHED} "
        "after build two of 2026-11-25T00:00:00Z: plan or bundle the newest build, or load without "
        "--latest"
    )
    assert (kept.code, kept.err.splitlines()) == (
        2,
        [
            "1 problem with export user_items, nothing was written",
            build.replace("  2  ", "  1  "),
        ],
    )
    assert loaded.code == 0, loaded.err
    assert newest_build(runs / "user_items", newer.moment) == newer


def test_a_load_of_a_project_records_its_build_and_limits_the_age_of_its_gate_too(
    loader: Run, sandbox: Sandbox, tmp_path: Path
) -> None:
    sixty_rows(sandbox, RELATION)
    chosen = project(tmp_path / "p", {"bundled": export("of_project", partitions=6)}, RELATION)
    arguments = ["load", *chosen.arguments, *chosen.storage, "--create-table"]

    old = loader(*arguments, "--max-gate-age", "1m")
    loaded = loader(*arguments, "--latest")

    assert (old.code, loaded.code) == (2, 0), (old, loaded)
    assert "must be at most 1m old" in old.err
    build = Build("one", FINISHED)
    assert newest_build(Location(chosen.storage[1]) / "bundled", build.moment) == build


def test_a_missing_password_is_named_by_its_variable(
    loader: Run, bundled: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDSHIFT_PASSWORD")

    refused = loader("load", *bundled, "--storage", str(tmp_path / "runs"))

    assert (refused.code, refused.err.splitlines()[1:]) == (
        2,
        [
            "  1  variable REDSHIFT_PASSWORD must have the password of the warehouse's user "
            "loader_dev, got none: set it, or give --secret"
        ],
    )
