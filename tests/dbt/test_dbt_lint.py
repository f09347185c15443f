"""The style of the SQL, checked without a warehouse as in the git hook."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.repository import DBT_PROJECT, REPOSITORY

OFFLINE = ("--templater", "jinja")

# Rules for the layout and quotes of SQL, which dbt decides in compiled SQL.
RULES_OF_LAYOUT = "layout,RF06,AL09,AM04"


def violated_rules(folder: Path, *arguments: str) -> dict[str, set[str]]:
    """The violated rules per file name."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("REDSHIFT_", "DBT_"))}
    process = subprocess.run(
        [sys.executable, "-m", "sqlfluff", "lint", *OFFLINE, "--format", "json", *arguments],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return {
        Path(file["filepath"]).name: {violation["code"] for violation in file["violations"]}
        for file in json.loads(process.stdout)
    }


def copy_of_the_project(folder: Path) -> Path:
    shutil.copytree(
        DBT_PROJECT,
        folder / "dbt_project",
        ignore=shutil.ignore_patterns("target", "logs"),
    )
    for name in (".sqlfluff", ".sqlfluffignore"):
        shutil.copy(REPOSITORY / name, folder)
    return folder


def test_the_project_is_clean(tmp_path: Path) -> None:
    assert violated_rules(copy_of_the_project(tmp_path), "dbt_project") == {
        "stg_retail__transactions.sql": set(),
        "assert_different_keys_have_different_texts.sql": set(),
        "assert_every_checksum_has_a_partition.sql": set(),
        "assert_purchases_are_the_source_rows_of_the_rule.sql": set(),
    }


def test_the_rules_that_a_model_violates_are_reported(tmp_path: Path) -> None:
    folder = copy_of_the_project(tmp_path)
    bad = folder / "dbt_project" / "models" / "staging" / "retail" / "stg_retail__bad.sql"
    bad.write_text(
        "SELECT a.user_id as Buyer, a.item_id item,\n"
        "  {{ partition_column(['user_id']) }} as partition_id\n"
        "from {{ ref('stg_retail__transactions') }} a\n"
        "where a.quantity>0\n"
    )
    assert violated_rules(folder, "dbt_project/models") == {
        "stg_retail__transactions.sql": set(),
        # keywords, names, aliases, spaces, indents
        "stg_retail__bad.sql": {"CP01", "CP02", "AL01", "AL02", "LT01", "LT02"},
    }


def test_a_missing_macro_is_reported(tmp_path: Path) -> None:
    folder = copy_of_the_project(tmp_path)
    bad = folder / "dbt_project" / "models" / "staging" / "retail" / "stg_retail__bad.sql"
    bad.write_text("select {{ partition_colum(['user_id']) }} as partition_id\n")
    assert violated_rules(folder, "dbt_project/models") == {
        "stg_retail__transactions.sql": set(),
        "stg_retail__bad.sql": {"TMP", "PRS"},
    }


def test_the_sql_of_the_generic_tests_is_clean(compiled: Path) -> None:
    files = [
        file
        for name in ("partition_in_range", "key_in_one_partition", "partitions_are_balanced")
        for file in compiled.glob(f"compiled/**/{name}_*.sql")
    ]
    violated = violated_rules(
        REPOSITORY,
        *("--config", ".sqlfluff", "--templater", "raw"),
        *("--exclude-rules", RULES_OF_LAYOUT),
        *map(str, files),
    )
    assert (len(violated), set().union(*violated.values())) == (3, set())
