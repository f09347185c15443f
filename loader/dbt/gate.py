"""The dbt gate: an export is loaded only if dbt built and tested what is read.

Its relation must have been built by dbt's last command, in the target that is read, and all tests
upstream must have passed. They are those that dbt selects with `+exposure:<name>`: every data and
unit test that depends on the exposure's models, or on a model, seed, snapshot or source upstream.

dbt overwrites run_results.json in every command that executes nodes, and manifest.json in every
command that parses (https://docs.getdbt.com/reference/artifacts/run-results-json). Neither names
the version of a model that was tested. So results count only if both files have the same
`invocation_id` (https://docs.getdbt.com/reference/artifacts/dbt-artifacts#common-metadata).
"""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loader.dbt.gate_result import Gate
from loader.dbt.last_build import built_elsewhere, unbuilt, unknown_host
from loader.dbt.profile import Profile, home_folder, profiles_folder
from loader.redaction import without_secrets
from loader.settings import Settings

RESULTS_FILE = "run_results.json"
# A test ends as pass, warn, fail, error or skipped; `dbt compile` and `dbt docs generate` leave the
# status success, though they run no test.
PASSED = ("pass", "warn")
NOT_RUN = {"success": "not run", "None": "not run"}
SHOWN = 5


def read_results(artifacts: Path) -> dict[str, Any] | None:
    """The results of dbt's last command; None if the file is missing, unreadable or not JSON."""
    try:
        results = json.loads((artifacts / RESULTS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return results if isinstance(results, dict) else None


def build_command(settings: Settings, export: str) -> str:
    """The shell command that builds and tests everything upstream of the export."""
    folder = profiles_folder(settings)
    options = {
        "--project-dir": settings.project_dir,
        "--profiles-dir": None if folder == home_folder() else folder,
        "--profile": settings.profile,
        "--target": settings.target,
        "--vars": json.dumps(without_secrets(settings.vars)) if settings.vars else None,
    }
    given = [str(word) for pair in options.items() if pair[1] for word in pair]
    return shlex.join(["dbt", "build", *given, "--select", f"+exposure:{export}"])


def gate(
    settings: Settings,
    manifest: Mapping[str, Any],
    results: Mapping[str, Any] | None,
    export: str,
    profile: Profile | None,
) -> Gate:
    """Compare dbt's last command with what is read; without a profile, target and address are not.

    The problem has the command that builds and tests the export.
    """
    tests = upstream_tests(manifest, export)
    exposure = _exposure(manifest, export)
    metadata = (results or {}).get("metadata", {})
    invocation = manifest.get("metadata", {}).get("invocation_id")
    statuses: dict[str, str] = {}
    note = ""
    if results is None:
        failures = [f"no {RESULTS_FILE} next to the manifest"]
    elif not invocation or metadata.get("invocation_id") != invocation:
        failures = ["results and a manifest of different dbt commands"]
    else:
        known = {r.get("unique_id"): str(r.get("status")) for r in results.get("results", ())}
        statuses = {test: known.get(test, "not run") for test in tests}
        statuses = {test: NOT_RUN.get(status, status) for test, status in statuses.items()}
        failures = [*unbuilt(results, exposure), *_not_passed(statuses)]
        if profile:
            project = settings.project_dir
            failures += built_elsewhere(manifest, results, exposure, project, profile)
            note = unknown_host(results, exposure, profile)
    problem = (
        f"dbt must have built and tested export {export}, got {'; '.join(failures)}: "
        f"run `{build_command(settings, export)}`, or load with --skip-dbt-gate"
    )
    return Gate(
        tests=len(tests),
        passed=sum(status in PASSED for status in statuses.values()),
        warned=sum(status == "warn" for status in statuses.values()),
        finished=str(metadata.get("generated_at", "")),
        problem=problem if failures else "",
        skipped=settings.skip_dbt_gate,
        note=note,
        invocation=str(metadata.get("invocation_id") or ""),
    )


def _not_passed(statuses: Mapping[str, str]) -> list[str]:
    """How many tests did not pass, and the names of the first; empty if all passed."""
    failed = [f"{_name(t)} {status}" for t, status in statuses.items() if status not in PASSED]
    if not failed:
        return []
    others = f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    named = ", ".join(failed[:SHOWN])
    return [f"{len(failed)} of {len(statuses)} tests that did not pass ({named}{others})"]


def upstream_tests(manifest: Mapping[str, Any], export: str) -> list[str]:
    """Ids of the tests that depend on the exposure's models or on anything upstream of them."""
    nodes: dict[str, Any] = {**manifest.get("nodes", {}), **manifest.get("unit_tests", {})}
    upstream: set[str] = set()
    waiting = _parents(_exposure(manifest, export))
    while waiting:
        node = waiting.pop()
        if node not in upstream:
            upstream.add(node)
            waiting += _parents(nodes.get(node, {}))
    return sorted(
        node
        for node, declared in nodes.items()
        if node.startswith(("test.", "unit_test.")) and upstream.intersection(_parents(declared))
    )


def _exposure(manifest: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    exposures = {exposure["name"]: exposure for exposure in manifest["exposures"].values()}
    found: Mapping[str, Any] = exposures[name]
    return found


def _parents(declared: Mapping[str, Any]) -> list[str]:
    return list((declared.get("depends_on") or {}).get("nodes") or ())


def _name(test: str) -> str:
    """`test.project.not_null_orders_id.0123abcdef` as dbt prints it: not_null_orders_id."""
    kind, _, name, *rest = test.split(".")
    return ".".join([name, *rest]) if kind == "unit_test" else name
