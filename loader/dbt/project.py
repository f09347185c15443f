"""The inputs of a run that dbt's files of the project on this machine declare."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from loader.dbt.exposures import declared_tables, select_exports
from loader.dbt.gate import gate, read_results
from loader.dbt.gate_result import Gate
from loader.dbt.inputs import Inputs
from loader.dbt.manifest import artifacts_folder, read_manifest
from loader.dbt.profile import Profile, chosen_profile, connection
from loader.errors import Refused
from loader.items.export import Export
from loader.settings import Settings
from loader.warehouse.connection import Connection, source_connection
from loader.warehouse.jdbc_source import read_source


def read_project(settings: Settings, names: Sequence[str], signs_in: bool = True) -> Inputs:
    """Read the manifest, the results of dbt's tests and the profile, or the file of `--jdbc`."""
    problems: list[str] = []
    exports: list[Export] = []
    tables: dict[str, str] = {}
    gates: dict[str, Gate] = {}
    profile: Profile | None = None
    warehouse: Connection | None = None
    unread: list[str] = []
    try:
        if settings.jdbc:
            warehouse = source_connection(
                read_source(settings.jdbc, signs_in), settings.secret, settings.allow_plain_http
            )
        else:
            profile = chosen_profile(settings)
            warehouse = connection(profile.credentials, settings.allow_plain_http, settings.secret)
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
    if settings.jdbc or os.path.isfile(settings.project_dir / "dbt_project.yml"):
        problems += [problem for problem in unread if problem not in problems]
    target = profile.target if profile else settings.target
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


def project_export(settings: Settings, name: str) -> Export:
    """An export of the project; other exports may write its table."""
    (export,) = select_exports(read_manifest(settings), [name], for_writing=False)
    return export
