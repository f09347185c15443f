"""The dbt gate: an export is loaded only if all dbt tests upstream of it have passed.

The tests are those that dbt selects with `+exposure:<name>`: every data and unit test that depends
on the exposure's models, or on a model, seed, snapshot or source upstream of them.

dbt overwrites run_results.json in every command that executes nodes, and manifest.json in every
command that parses (https://docs.getdbt.com/reference/artifacts/run-results-json). Neither names
the version of a model that was tested. So results count only if both files have the same
`invocation_id` (https://docs.getdbt.com/reference/artifacts/dbt-artifacts#common-metadata).
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS_FILE = "run_results.json"
# A test ends as pass, warn, fail, error or skipped; `dbt compile` and `dbt docs generate` leave the
# status success, though they run no test.
PASSED = ("pass", "warn")
NOT_RUN = {"success": "not run", "None": "not run"}
SHOWN = 5


@dataclass(frozen=True)
class Gate:
    """The results of an export's dbt tests; `problem` is why it must not be loaded, or empty.

    `finished` is the UTC time at which dbt wrote the results. `skipped`: --skip-dbt-gate is set.
    """

    tests: int = 0
    passed: int = 0
    warned: int = 0
    finished: str = ""
    problem: str = ""
    skipped: bool = False


def read_results(artifacts: Path) -> dict[str, Any] | None:
    """The results of dbt's last command; None if the file is missing or is not JSON."""
    try:
        results = json.loads((artifacts / RESULTS_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return results if isinstance(results, dict) else None


def build_command(
    export: str, project_dir: Path, profiles_dir: Path | None, target: str | None
) -> str:
    """The shell command that builds and tests everything upstream of the export."""
    if profiles_dir is None and (project_dir / "profiles.yml").exists():
        profiles_dir = project_dir
    options = {"--project-dir": project_dir, "--profiles-dir": profiles_dir, "--target": target}
    given = [str(word) for pair in options.items() if pair[1] for word in pair]
    return shlex.join(["dbt", "build", *given, "--select", f"+exposure:{export}"])


def gate(
    manifest: Mapping[str, Any],
    results: Mapping[str, Any] | None,
    export: str,
    command: str,
    skipped: bool = False,
) -> Gate:
    """Evaluate the export's tests; `command` runs them, and is part of the message."""
    tests = upstream_tests(manifest, export)
    if not tests:
        return Gate(skipped=skipped)
    metadata = (results or {}).get("metadata", {})
    invocation = manifest.get("metadata", {}).get("invocation_id")
    statuses: dict[str, str] = {}
    if results is None:
        failure = f"no {RESULTS_FILE} next to the manifest"
    elif not invocation or metadata.get("invocation_id") != invocation:
        failure = "results and a manifest of different dbt commands"
    else:
        known = {r.get("unique_id"): str(r.get("status")) for r in results.get("results", ())}
        statuses = {test: known.get(test, "not run") for test in tests}
        statuses = {test: NOT_RUN.get(status, status) for test, status in statuses.items()}
        failure = _not_passed(statuses)
    problem = (
        f"dbt tests of export {export} must have passed, got {failure}: "
        f"run `{command}`, or load with --skip-dbt-gate"
    )
    return Gate(
        tests=len(tests),
        passed=sum(status in PASSED for status in statuses.values()),
        warned=sum(status == "warn" for status in statuses.values()),
        finished=str(metadata.get("generated_at", "")),
        problem=problem if failure else "",
        skipped=skipped,
    )


def _not_passed(statuses: Mapping[str, str]) -> str:
    """How many tests did not pass, and the names of the first; empty if all passed."""
    failed = [f"{_name(t)} {status}" for t, status in statuses.items() if status not in PASSED]
    if not failed:
        return ""
    others = f" and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    return f"{len(failed)} of {len(statuses)} that did not ({', '.join(failed[:SHOWN])}{others})"


def upstream_tests(manifest: Mapping[str, Any], export: str) -> list[str]:
    """Ids of the tests that depend on the exposure's models or on anything upstream of them."""
    nodes: dict[str, Any] = {**manifest.get("nodes", {}), **manifest.get("unit_tests", {})}
    exposures = {exposure["name"]: exposure for exposure in manifest["exposures"].values()}
    upstream: set[str] = set()
    waiting = _parents(exposures[export])
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


def _parents(declared: Mapping[str, Any]) -> list[str]:
    return list((declared.get("depends_on") or {}).get("nodes") or ())


def _name(test: str) -> str:
    """`test.project.not_null_orders_id.0123abcdef` as dbt prints it: not_null_orders_id."""
    kind, _, name, *rest = test.split(".")
    return ".".join([name, *rest]) if kind == "unit_test" else name
