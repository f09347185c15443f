"""The examples of docs/dbt.md work."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import cli

from loader.dbt.exposures import select_exports
from tests.support.repository import DBT_PROJECT, REPOSITORY, tracked

PAGE = (REPOSITORY / "docs" / "dbt.md").read_text()


def test_the_example_of_the_page_compiles_and_the_loader_reads_its_export(
    run_dbt: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    project = tmp_path / "project"
    ignore = shutil.ignore_patterns("target", "logs")
    shutil.copytree(DBT_PROJECT, project, ignore=ignore)
    files = re.findall(r"```\w+\n(?:--|#) (models/\S+)\n(.*?)```", PAGE, re.DOTALL)
    for name, text in files:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    command = ["compile", "--no-populate-cache"]
    [result] = run_dbt(tmp_path, command, project=project)
    assert (len(files), result["error"], result["success"]) == (2, "", True)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    [export] = select_exports(manifest, ["popular_items"])
    assert (str(export.relation), export.table, export.key, export.partitions) == (
        "analytics.item_popularity",
        "popular_items",
        ("item_id",),
        30,
    )


def test_the_documented_sql_of_the_partition_column_is_in_the_compiled_model(
    manifest: dict[str, Any],
) -> None:
    model = manifest["nodes"]["model.redshift_to_dynamodb.stg_retail__transactions"]
    [documented] = re.findall(r"```sql\n(cast\(mod.*)\n```", PAGE)
    assert f"{documented} as partition_id" in model["compiled_code"]


def test_every_target_and_variable_of_the_profile_is_on_the_page() -> None:
    profile = (DBT_PROJECT / "profiles.yml").read_text()
    targets = re.findall(r"^    (\w+):", profile, re.MULTILINE)
    variables = re.findall(r"env_var\('(\w+)'", profile)
    assert len(targets) == 5
    assert [name for name in {*targets, *variables} if f"`{name}`" not in PAGE] == []


def test_every_dbt_command_of_the_pages_is_understood_by_dbt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(DBT_PROJECT)
    text = "\n".join(path.read_text() for path in tracked() if path.suffix == ".md")
    text = re.sub(r"--(project|profiles)-dir \w+", "", text)  # dbt asks whether they exist
    commands = [shlex.split(a) for a in re.findall(r'^make dbt ARGS="(.*)"', text, re.MULTILINE)]
    commands += [shlex.split(a) for a in re.findall(r'`make dbt ARGS="([^`]*)"`', text)]
    commands += [shlex.split(a) for a in re.findall(r"(?:^|`)dbt ([a-z]+ --[^`\n]+)", text, re.M)]

    assert len(commands) > 5
    for name, *arguments in commands:
        command = cli.commands[name]
        if hasattr(command, "commands"):  # `docs generate`
            name, *arguments = arguments
            command = command.commands[name]
        command.make_context(name, arguments)
