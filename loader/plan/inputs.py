"""Inputs of a plan: the exports, the results of their dbt tests, and the connection."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loader.dbt.exposures import declared_tables, select_exports
from loader.dbt.gate import gate, read_results
from loader.dbt.gate_result import Gate
from loader.dbt.manifest import artifacts_folder, read_manifest
from loader.dbt.profile import Profile, chosen_profile, connection
from loader.errors import Refused
from loader.items.export import Export
from loader.settings import Settings
from loader.spark.problems import start_problems
from loader.storage.location import Location
from loader.warehouse.connection import Connection


@dataclass(frozen=True)
class Inputs:
    """Inputs that are read before any connection is opened, and the problems found in them.

    `tables` has the table of each export of the project, also of those that are not loaded.
    `target` is the name of the dbt target, also if it is the profile's default.
    """

    exports: tuple[Export, ...]
    tables: dict[str, str]
    gates: dict[str, Gate]
    connection: Connection | None
    target: str | None
    problems: tuple[str, ...]

    @property
    def failed_gates(self) -> list[str]:
        """Problems of the dbt tests; none with --skip-dbt-gate."""
        return [g.problem for g in self.gates.values() if g.problem and not g.skipped]


def read_inputs(settings: Settings, names: Sequence[str]) -> Inputs:
    """Read the dbt project and its profile; also checks Java and the storage."""
    problems: list[str] = []
    exports: list[Export] = []
    tables: dict[str, str] = {}
    gates: dict[str, Gate] = {}
    profile: Profile | None = None
    warehouse: Connection | None = None
    unread = []
    try:
        profile = chosen_profile(settings)
        warehouse = connection(profile.credentials, settings.allow_plain_http, settings.secret)
        warehouse.login()
    except Refused as refused:
        unread = refused.problems
    try:
        manifest = read_manifest(settings)
        tables = declared_tables(manifest)
        exports = select_exports(manifest, names)
        gates = dbt_gates(settings, manifest, exports, profile)
    except Refused as refused:
        problems += refused.problems
    # A missing project is reported once, not again as a missing profile.
    if os.path.isfile(settings.project_dir / "dbt_project.yml"):
        problems += [problem for problem in unread if problem not in problems]
    storage = Location(settings.storage)
    # Write to the storage only if its endpoint is allowed.
    storage_problem = storage.plain_text_problem(settings.allow_plain_http) or storage.problem()
    drivers = [warehouse.driver] if warehouse else []
    problems += start_problems(settings.spark, drivers, storage)
    problems += filter(None, [storage_problem])
    if warehouse and warehouse.warning:
        print(f"warning: {warehouse.warning}", file=sys.stderr)
    target = profile.target if profile else None
    return Inputs(tuple(exports), tables, gates, warehouse, target, tuple(problems))


def dbt_gates(
    settings: Settings,
    manifest: Mapping[str, Any],
    exports: Sequence[Export],
    profile: Profile | None,
) -> dict[str, Gate]:
    results = read_results(artifacts_folder(settings))
    return {
        export.name: gate(settings, manifest, results, export.name, profile) for export in exports
    }
