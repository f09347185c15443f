"""One changeset that two loads apply at the same time."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from tests.support import dynamodb_faults as faults
from tests.support.fault_proxies import DynamoDBProxy
from tests.support.projects import export, project

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.applied_twice"
TABLE = "applied_twice"


def test_of_two_loads_of_one_changeset_the_later_one_writes_it_and_the_earlier_one_says_so(
    loader: Run,
    sandbox: Sandbox,
    execute: Run,
    items: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    execute(
        "create schema if not exists analytics; "
        f"create table {VIEW} as select 'u' || n as user_id, n % 6 as partition_id, "
        "'i' as item_id, 1 as line_number, now()::timestamp as purchased_at "
        "from generate_series(1, 600) as n"
    )
    chosen = project(tmp_path / "p", {TABLE: export(TABLE, partitions=6)}, VIEW)
    plan = loader("load", *chosen.arguments, *chosen.storage, "--create-table", "--keep")
    folder = next(Path(chosen.storage[1]).glob(f"{TABLE}/runs/*"))
    command = ["apply", str(folder)]
    later: list[subprocess.CompletedProcess[str]] = []

    def apply_again(_: int) -> None:
        """Apply the changeset to its end while the earlier load waits for an answer."""
        later.append(
            subprocess.run(
                [sys.executable, "-m", "loader", *command],
                env={**os.environ, **sandbox.env()},
                capture_output=True,
                text=True,
                check=False,
            )
        )

    upstream = sandbox.settings.dynamodb_port
    with DynamoDBProxy(upstream, faults.callback_at_onset, on_fault=apply_again) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{proxy.port}")
        earlier = loader(*command)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", sandbox.env()["AWS_ENDPOINT_URL_DYNAMODB"])
    after = loader(*command)

    assert (plan.code, [run.returncode for run in later]) == (0, [0]), later
    *_, message = earlier.err.splitlines()
    assert earlier.code == 1
    assert message == (
        f"cannot write all items of export {TABLE} to table {TABLE}: another load has taken over "
        f"the changeset {folder} (another process, which has written all of it). "
        "Wait for its report"
    )
    assert not re.search("Traceback|unknown", earlier.err)
    assert len(items(TABLE)) == 600
    assert (after.code, after.err) == (
        2,
        "1 problem with the run, nothing was written\n"
        f"  1  a run must have its folder changes to be applied, got {folder} without it: "
        "a complete run removes it; read its report.json, or plan again\n",
    )
