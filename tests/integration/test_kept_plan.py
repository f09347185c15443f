"""A plan that breaks its guards is kept, shown key by key, and applied with its own flags alone."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.projects import export, project

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.kept_plan"
LIMITS = {"max_deletes": "50%,20", "max_changes": "30%"}


def problems(outcome: Any) -> list[str]:
    """The numbered lines of standard error, which has those of the progress too."""
    return [line for line in outcome.err.splitlines() if line.startswith("  ")]


def test_a_kept_plan_that_breaks_its_guards_is_applied_with_the_flags_of_its_last_line_alone(
    loader: Run, execute: Run, items: Run, tmp_path: Path
) -> None:
    execute(
        "create schema if not exists analytics; "
        f"create table {VIEW} as select 'u' || n as user_id, n % 4 as partition_id, "
        "'i' as item_id, 1 as line_number, now()::timestamp as purchased_at "
        "from generate_series(1, 100) as n"
    )
    chosen = project(tmp_path / "p", {"kept": export("kept", partitions=4, **LIMITS)}, VIEW)
    of_project = [*chosen.arguments, *chosen.storage]
    first = loader("load", *of_project, "--create-table")
    execute(
        f"delete from {VIEW} where user_id in (select 'u' || n from generate_series(61, 100) n); "
        f"update {VIEW} set item_id = 'j' where user_id = 'u2'"
    )

    planned = loader("plan", *of_project)
    *lines, last = planned.out.splitlines()
    advice, _, command = last.partition(":  ")
    loader_, verb, folder, *flags = shlex.split(command)
    bare = loader(verb, folder)
    wrong = loader(verb, folder, "--allow-deletes", "39", "--allow-changes", "41")
    shown = loader("show", folder, "u2", "u61", "u3")
    before = len(items("kept"))
    applied = loader(verb, folder, *flags)

    assert (first.code, planned.code) == (0, 2), (first, planned)
    deletes, changes = problems(planned)
    assert deletes.startswith(
        "  1  export kept must delete at most 50 % and 20 of the 100 keys of table kept (20), "
        "got 40 (40.0 %), such as user_id u"
    )
    assert changes.startswith(
        "  2  export kept must change or delete at most 30 % of the 100 keys of table kept (30), "
        "got 41 (41.0 %), such as user_id u2, user_id u"
    )
    assert "  changes    + 0 new    ~ 1 changed    - 40 gone    = 59 unchanged" in lines
    assert advice.startswith("Nothing was written. REFUSED by a guard: ")
    assert (loader_, verb, flags) == (
        "loader",
        "apply",
        ["--allow-deletes", "40", "--allow-changes", "41"],
    )
    assert (bare.code, problems(bare)) == (2, [deletes, changes])
    assert wrong.code == 2
    assert " (20) or exactly the 39 of --allow-deletes, got 40 (40.0 %)" in wrong.err
    assert (shown.code, before) == (1, 100)
    changed, item, elements, _, gone, _, unchanged = shown.out.splitlines()
    assert changed.startswith("user_id u2   changed: digest ")
    assert (item, elements) == ("user_id  u2", "items    1: j")
    assert gone.startswith("user_id u61   deleted: the model no longer has the key; digest ")
    assert unchanged == "u3: no change is planned"

    state = loader("state", "show", "kept", *chosen.storage, "--json")
    status = loader("status", *chosen.storage)
    again = loader("show", folder, "u2")
    assert (applied.code, status.code, again.code) == (0, 0, 2), (applied, status, again)
    assert {item["user_id"] for item in items("kept")} == {f"u{n}" for n in range(1, 61)}
    facts = json.loads(state.out)
    assert (facts["serial"], facts["keys"], facts["run"]) == (2, 60, Path(folder).name)
