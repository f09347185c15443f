"""Inputs of a plan, from the dbt project or from a bundle of it, with the state of this machine."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from loader.dbt.declared import declared_inputs
from loader.dbt.gate_result import Gate, age_problem, older_problem
from loader.dbt.inputs import Inputs
from loader.errors import LoaderError, Refused
from loader.settings import Settings
from loader.spark.problems import start_problems
from loader.storage.location import Location
from loader.storage.newest_build import newest_build


def read_inputs(settings: Settings, names: Sequence[str]) -> Inputs:
    """Read the dbt project and its profile, or the bundle; also checks Java and the storage."""
    inputs = declared_inputs(settings, names)
    problems = [*inputs.problems, *_login_problems(inputs), *_old_gates(settings, inputs)]
    storage = Location(settings.storage)
    # Write to the storage only if its endpoint is allowed.
    storage_problem = storage.plain_text_problem(settings.allow_plain_http) or storage.problem()
    warehouse = inputs.connection
    drivers = [warehouse.driver] if warehouse else []
    problems += start_problems(settings.spark, drivers, storage)
    if storage_problem:
        problems.append(storage_problem)
    else:
        problems += old_builds(settings, inputs.gates)
    if warehouse and warehouse.warning:
        print(f"warning: {warehouse.warning}", file=sys.stderr)
    return replace(inputs, problems=tuple(problems))


def _login_problems(inputs: Inputs) -> list[str]:
    try:
        if inputs.connection:
            inputs.connection.login()
    except Refused as refused:
        return refused.problems
    return []


def _old_gates(settings: Settings, inputs: Inputs) -> list[str]:
    """Results of dbt that are older than --max-gate-age."""
    limit, now = settings.max_gate_age, datetime.now(timezone.utc)
    if limit is None:
        return []
    found = (age_problem(export, gate, limit, now) for export, gate in inputs.gates.items())
    return [problem for problem in found if problem]


def old_builds(settings: Settings, gates: Mapping[str, Gate]) -> list[str]:
    """With --latest, the exports whose build is older than the newest that the storage knows."""
    problems: list[str | None] = []
    now = datetime.now(timezone.utc)
    for export, gate in gates.items() if settings.latest else ():
        try:
            newest = newest_build(Location(settings.storage) / export, now)
            problems.append(older_problem(export, gate, newest, now))
        except LoaderError as error:
            problems.append(str(error))
    return [problem for problem in problems if problem]
