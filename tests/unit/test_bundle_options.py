"""A run with a bundle needs neither dbt nor the project: no option, variable or import of them."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from loader import cli
from loader.age_limit import AgeLimit
from loader.dbt.gate_result import Gate, age_problem, older_problem
from loader.errors import Refused
from loader.settings import Settings
from loader.storage.newest_build import Build
from loader.verbs.given import settings_of

NOW = datetime(2026, 11, 25, 22, 22, 59, tzinfo=timezone.utc)
GATE = Gate(tests=17, passed=17, finished="2026-11-24T22:22:58.6Z", invocation="one")
COMMANDS = [
    ["plan"],
    ["load"],
    ["verify", "user_items"],
    ["state", "adopt", "user_items"],
    ["show", "user_items", "1"],
]
# Makes the modules of the extra `dbt` and all that Spark is not imported for unknown.
WITHOUT_DBT = """
import sys
sys.modules |= dict.fromkeys(("dbt", "dbt_common", "yaml", "boto3"))
"""


def parsed(*arguments: str) -> argparse.Namespace:
    return cli.parser().parse_args(arguments)


def python_without_dbt(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_DBT + program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_option_of_the_project_is_refused_beside_a_bundle(command: Sequence[str]) -> None:
    options = {
        "--project-dir": "dbt_project",
        "--profiles-dir": "p",
        "--profile": "p",
        "--target": "prod",
        "--vars": "{password: hunter2}",
    }

    with pytest.raises(Refused) as refused:
        settings_of(parsed(*command, "--bundle", "b", *(w for o in options.items() for w in o)))

    assert refused.value.problems == [
        f"{option} must not be given with --bundle, which has the project and its target, got "
        "both: remove one of them"
        for option in options
    ]


def test_they_are_reported_with_the_problems_of_other_options() -> None:
    with pytest.raises(Refused) as refused:
        settings_of(parsed("load", "--bundle", "b", "--target", "prod", "--queries", "0"))

    assert [problem.split(" must")[0] for problem in refused.value.problems] == [
        "--target",
        "--queries",
    ]


def test_no_variable_of_dbt_and_no_project_around_holds_with_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dbt_project.yml").touch()
    monkeypatch.chdir(tmp_path)
    for name in ("DBT_PROJECT_DIR", "DBT_PROFILES_DIR", "DBT_PROFILE", "DBT_TARGET"):
        monkeypatch.setenv(name, "x")

    settings = settings_of(parsed("load", "--bundle", "s3://b/k", "--max-gate-age", "24h"))

    assert settings == Settings(bundle="s3://b/k", max_gate_age=AgeLimit(24, "h"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["load", "--bundle", "s3://b"], "--bundle: must be a file or s3://bucket/key, got s3://b"),
        (["load", "--bundle", "s3://b/"], "--bundle: must be a file or s3://bucket/key, got s3"),
        (["load", "--bundle", "gs://b/k"], "--bundle: must be a file or s3://bucket/key, got gs"),
        (["bundle", "-o", ""], "-o/--output: must be a file or s3://bucket/key, got "),
        (["bundle"], "the following arguments are required: -o/--output"),
        (["load", "--max-gate-age", "1"], "--max-gate-age: must be minutes, hours or days as 90m"),
    ],
)
def test_a_wrong_value_is_explained(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(*arguments)

    assert (ended.value.code, message in capsys.readouterr().err) == (2, True)


def test_a_load_of_a_bundle_imports_neither_dbt_nor_yaml() -> None:
    """What Spark imports is tried by .ci/package."""
    ended = python_without_dbt(
        "from loader import adoption, cli, run, verification\n"
        "from loader.dbt import bundle, declared, environment, exposures\n"
        "from loader.report import lines, page, plan_lines, status\n"
        "from loader.verbs import show, state, verify_table, write\n"
        "sys.exit(cli.main(['show', 'e', '1', '--bundle', 'no.json']))\n"
    )

    assert (ended.returncode, ended.stderr.splitlines()) == (
        2,
        [
            "1 problem with the run, nothing was written",
            "  1  bundle no.json must exist, got none: correct --bundle, or make it again with "
            "`loader bundle`",
        ],
    )


@pytest.mark.parametrize(
    "arguments",
    [["show", "e", "1"], ["load"], ["bundle", "-o", "b.json"], ["load", "--vars", "{a: 1}"]],
    ids=" ".join,
)
def test_a_project_needs_an_installation_with_dbt(arguments: list[str], tmp_path: Path) -> None:
    ended = python_without_dbt(
        "import os\n"
        f"os.chdir({str(tmp_path)!r})\n"
        "from loader import cli\n"
        "sys.exit(cli.main(sys.argv[1:]))\n",
        *arguments,
    )

    assert ended.returncode == 2
    assert ended.stderr.splitlines()[1:] == [
        "  1  a dbt project must be read by an installation with dbt, got one without dbt and "
        "yaml: install the wheel of `make package` with the extra dbt, or give a bundle of the "
        "project with --bundle"
    ]


def test_commands_that_only_show_or_bundle_need_no_spark() -> None:
    ended = python_without_dbt(
        "sys.modules |= dict.fromkeys(('pyspark', 'py4j', 'numpy', 'pandas'))\n"
        "del sys.modules['dbt'], sys.modules['yaml']\n"
        "from loader import cli\n"
        "from loader.dbt import bundling\n"
        "from loader.dynamodb import show\n"
        "from loader.report import planned_change, plan_lines, state_lines, status, status_lines\n"
        "from loader.verbs import bundle, show, state\n"
    )

    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_load_needs_spark() -> None:
    ended = python_without_dbt(
        "sys.modules['pyspark'] = None\n"
        "from loader import cli\n"
        "sys.exit(cli.main(['load', '--bundle', 'no.json']))\n"
    )

    assert (ended.returncode, ended.stderr.splitlines()[1:]) == (
        2,
        [
            "  1  pyspark must be installed, got none: install the wheel of `make package` with "
            "the extra spark, or start the loader with spark-submit"
        ],
    )


def test_results_of_dbt_that_are_too_old_are_refused_with_both_times() -> None:
    assert age_problem("user_items", GATE, AgeLimit(2, "d"), NOW) is None
    assert age_problem("user_items", GATE, AgeLimit(24, "h"), NOW) == (
        "dbt's results of export user_items must be at most 24h old, got results of "
        "2026-11-24T22:22:58.6Z at 2026-11-25T22:22:59Z: build and test it again with dbt, and "
        "make its bundle again, or give a higher --max-gate-age"
    )
    assert "at most 24h old, got none at 2026-11-25T22:22:59Z: " in str(
        age_problem("user_items", Gate(), AgeLimit(24, "h"), NOW)
    )


@pytest.mark.parametrize(
    ("finished", "allowed"), [("2026-11-25T22:37:00Z", True), ("2026-11-25T22:38:00Z", False)]
)
def test_results_of_the_future_have_no_age_and_are_not_the_newest(
    finished: str, allowed: bool
) -> None:
    gate = replace(GATE, finished=finished)
    problem = age_problem("user_items", gate, AgeLimit(1, "m"), NOW)

    assert older_problem("user_items", gate, None, NOW) == problem
    assert problem == (
        None
        if allowed
        else "dbt's results of export user_items must not be of the future, got results of "
        f"{finished} at 2026-11-25T22:22:59Z: set the clock of this machine or of that which ran "
        "dbt, and build again"
    )


def test_an_older_build_than_the_newest_is_refused_with_both() -> None:
    newest = Build("two", "2026-11-24T22:22:59Z")

    assert older_problem("user_items", GATE, None, NOW) is None
    assert older_problem("user_items", GATE, GATE.build, NOW) is None
    assert older_problem("user_items", GATE, newest, NOW) == (
        "export user_items must be of its newest dbt build, got build one of "
        "2026-11-24T22:22:58.6Z after build two of 2026-11-24T22:22:59Z: plan or bundle the "
        "newest build, or load without --latest"
    )
    assert "got no build after build two" in str(older_problem("user_items", Gate(), newest, NOW))


@pytest.mark.parametrize(
    "gate", [Gate(), Gate(finished="x", invocation="one"), Gate(**{**vars(GATE), "problem": "p"})]
)
def test_results_that_are_not_of_a_build_name_none(gate: Gate) -> None:
    assert (gate.build, GATE.build) == (None, Build("one", "2026-11-24T22:22:58.6Z"))
