"""bundle: what a load needs of the dbt project, in one file."""

import argparse
import shlex
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from loader.errors import COMPLETE, Refused
from loader.settings import Settings
from loader.verbs.given import settings_of
from loader.verbs.screen import print_lines

if TYPE_CHECKING:
    from loader.dbt.bundle import Bundle


def bundle(options: argparse.Namespace) -> int:
    from loader.dbt.installed import require_dbt

    require_dbt()
    settings, records = settings_of(options), "storage" in options.given
    from loader.dbt.bundle import write_bundle
    from loader.dbt.bundling import make_bundle

    if records:
        _require_storage(settings)
    made = make_bundle(settings, options.export, options.password_env)
    write_bundle(made, options.output, settings.allow_plain_http)
    if records:
        _record(settings, made)
    print_lines(bundle_lines(made, options.output, datetime.now(timezone.utc)))
    return COMPLETE


def bundle_lines(made: "Bundle", place: str, now: datetime) -> list[str]:
    """What the bundle has, and the command that loads it."""
    from loader.report.plan_lines import gate_text

    origin = made.origin
    commit = f", commit {origin.commit}" if origin.commit else ""
    target = f", target {origin.target}" if origin.target else ""
    lines = [
        f"{place}   project {origin.project}{target}, dbt command "
        f"{origin.invocation} of {origin.generated}{commit}",
        f"  sign-in    {made.warehouse.signs_in_with}",
    ]
    for export in made.exports:
        gate = made.gates[export.name]
        text = f"a load is refused: {gate.problem}" if gate.problem else gate_text(gate, now)
        lines.append(f"  export     {export.name} → table {export.table} · {text}")
    return [*lines, f"  next       {shlex.join(['loader', 'load', '--bundle', place])}"]


def _require_storage(settings: Settings) -> None:
    from loader.storage.location import Location

    storage = Location(settings.storage)
    problem = storage.plain_text_problem(settings.allow_plain_http) or storage.problem()
    if problem:
        raise Refused(problem)


def _record(settings: Settings, made: "Bundle") -> None:
    """Record the build of each export, so that --latest refuses older ones from now on."""
    from loader.storage.location import Location
    from loader.storage.newest_build import record_build

    now = datetime.now(timezone.utc)
    for export in made.exports:
        if build := made.gates[export.name].build:
            record_build(Location(settings.storage) / export.name, build, now)
