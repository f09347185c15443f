"""Two runs of one export: at the same time, and a kept plan after another run."""

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

from loader.storage.not_written import PLAN_ONLY
from sandbox import Sandbox
from tests.support import dynamodb_faults as faults
from tests.support.fault_proxies import DynamoDBProxy
from tests.support.projects import export, project

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.two_runs"
TABLE = "two_runs"


def test_of_two_loads_at_once_the_second_is_refused_and_so_is_a_plan_made_before_them(
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
    load = ["load", *chosen.arguments, *chosen.storage, "--create-table"]
    plan = loader("plan", *load[1:])
    runs = Path(chosen.storage[1]) / TABLE / "runs"
    (planned,) = runs.iterdir()
    assert (planned / PLAN_ONLY).exists()
    second: list[subprocess.CompletedProcess[str]] = []

    def load_again(_: int) -> None:
        """Load to the end while the first load waits for an answer."""
        second.append(
            subprocess.run(
                [sys.executable, "-m", "loader", *load],
                env={**os.environ, **sandbox.env()},
                capture_output=True,
                text=True,
                check=False,
            )
        )

    upstream = sandbox.settings.dynamodb_port
    with DynamoDBProxy(upstream, faults.callback_at_onset, on_fault=load_again) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{proxy.port}")
        first = loader(*load)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", sandbox.env()["AWS_ENDPOINT_URL_DYNAMODB"])
    (loaded,) = {*runs.iterdir()} - {planned}
    stale, complete = loader("apply", str(planned)), loader("apply", str(loaded))

    assert (plan.code, first.code, [run.returncode for run in second]) == (0, 0, [2]), first
    # On a slow machine the second load says first that it waits for the lock.
    refusal = re.sub(r"^lock   .*\n", "", second[0].stderr, flags=re.MULTILINE)
    holder = rf"\S+ on \S+ \(process {os.getpid()}, run {loaded.name}, `loader load .*`, since .*\)"
    assert re.fullmatch(
        f"1 problem with export {TABLE}, nothing was written\n"
        rf"  1  export {TABLE} must have one run at a time, got a run of {holder}: wait for its "
        rf"end, or, if it is dead, `loader state unlock {TABLE} \w+ --storage \S+`\n",
        refusal,
    ), second[0].stderr
    assert len(items(TABLE)) == 600
    assert [stale.code, stale.err] == [
        2,
        "1 problem with the run, nothing was written\n"
        f"  1  the state of export {TABLE} must be that of the plan (serial 0), got serial 1: "
        f"another run ({loaded.name}) was committed since this plan: plan again\n",
    ]
    assert [complete.code, complete.err] == [
        2,
        "1 problem with the run, nothing was written\n"
        f"  1  a plan must have its folder changes, got {loaded} without it: "
        "a complete run removes it; read its report.json, or plan again\n",
    ]
