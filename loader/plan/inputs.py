"""Inputs of a plan: the exports, the results of their dbt tests, and the connection."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loader.dbt.exposures import declared_tables, select_exports
from loader.dbt.gate import Gate, build_command, gate, read_results
from loader.dbt.manifest import artifacts_folder, read_manifest
from loader.dbt.profile import read_profile
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
    """

    exports: tuple[Export, ...]
    tables: dict[str, str]
    gates: dict[str, Gate]
    connection: Connection | None
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
    connection: Connection | None = None
    try:
        manifest = read_manifest(settings.project_dir)
        tables = declared_tables(manifest)
        exports = select_exports(manifest, names)
        gates = dbt_gates(settings, manifest, exports)
    except Refused as refused:
        problems += refused.problems
    try:
        connection = read_profile(
            settings.project_dir,
            settings.profiles_dir,
            settings.target,
            settings.allow_plain_http,
        )
    except Refused as refused:
        # A missing project is reported once, not again as a missing profile.
        if (settings.project_dir / "dbt_project.yml").is_file():
            problems += refused.problems
    storage = Location(settings.storage)
    # Write to the storage only if its endpoint is allowed.
    storage_problem = storage.plain_text_problem(settings.allow_plain_http) or storage.problem()
    drivers = [connection.driver] if connection else []
    problems += start_problems(settings.spark, drivers, storage.local_folder())
    problems += filter(None, [storage_problem])
    if connection and connection.warning:
        print(f"warning: {connection.warning}", file=sys.stderr)
    return Inputs(tuple(exports), tables, gates, connection, tuple(problems))


def dbt_gates(
    settings: Settings, manifest: Mapping[str, Any], exports: Sequence[Export]
) -> dict[str, Gate]:
    results = read_results(artifacts_folder(settings.project_dir))
    gates = {}
    for name in (export.name for export in exports):
        command = build_command(name, settings.project_dir, settings.profiles_dir, settings.target)
        gates[name] = gate(manifest, results, name, command, settings.skip_dbt_gate)
    return gates
