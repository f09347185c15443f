"""What a run reads from: the exports, dbt's tests of them, and the warehouse's connection."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loader.dbt.exposures import select_exports
from loader.dbt.gate import Gate, build_command, gate, read_results
from loader.dbt.manifest import artifacts_folder, read_manifest
from loader.dbt.profile import read_profile
from loader.errors import Refused
from loader.items.export import Export
from loader.settings import Settings
from loader.spark import java
from loader.storage.location import Location
from loader.warehouse.connection import Connection


@dataclass(frozen=True)
class Inputs:
    """What a plan needs to know before it asks anybody; `problems` says what is wrong with it."""

    exports: tuple[Export, ...]
    gates: dict[str, Gate]
    connection: Connection | None
    problems: tuple[str, ...]

    @property
    def failed_gates(self) -> list[str]:
        """Why dbt's tests forbid a load, unless the user told the loader to go on."""
        return [g.problem for g in self.gates.values() if g.problem and not g.skipped]


def read_inputs(settings: Settings, names: Sequence[str]) -> Inputs:
    """Exports, dbt's tests of them, and connection; a missing Java or storage is told with them."""
    problems: list[str] = []
    exports: list[Export] = []
    gates: dict[str, Gate] = {}
    connection: Connection | None = None
    try:
        manifest = read_manifest(settings.project_dir)
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
        # Without a project there is no profile: that is one problem, not two.
        if (settings.project_dir / "dbt_project.yml").is_file():
            problems += refused.problems
    storage = Location(settings.storage)
    # Nothing is sent to an S3 that may not be spoken to.
    stored = storage.plain_text_problem(settings.allow_plain_http) or storage.problem()
    problems += filter(None, [java.java_problem(), stored])
    if connection and connection.warning:
        print(f"warning: {connection.warning}", file=sys.stderr)
    return Inputs(tuple(exports), gates, connection, tuple(problems))


def dbt_gates(
    settings: Settings, manifest: Mapping[str, Any], exports: Sequence[Export]
) -> dict[str, Gate]:
    """What dbt's last command says of the tests of each export."""
    results = read_results(artifacts_folder(settings.project_dir))
    place = (settings.project_dir, settings.profiles_dir, settings.target)
    return {
        e.name: gate(
            manifest, results, e.name, build_command(e.name, *place), settings.skip_dbt_gate
        )
        for e in exports
    }
