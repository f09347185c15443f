import json
from pathlib import Path
from typing import Any

import pytest

from loader.dbt.gate import Gate, build_command, gate, read_results, upstream_tests

COMMAND = "dbt build --select +exposure:user_items"
RULE = "dbt tests of export user_items must have passed, got"
REMEDY = f"run `{COMMAND}`, or load with --skip-dbt-gate"


def depends(*nodes: str) -> dict[str, Any]:
    return {"depends_on": {"nodes": list(nodes)}}


MANIFEST: dict[str, Any] = {
    "metadata": {"invocation_id": "one"},
    "nodes": {
        "model.p.items": depends("model.p.stg"),
        "model.p.stg": depends("source.p.shop.lines", "seed.p.countries"),
        "seed.p.countries": {"depends_on": {"macros": []}},
        "model.p.below": depends("model.p.items"),
        "test.p.not_null_items_id.1a": depends("model.p.items"),
        "test.p.stg_adds_up": depends("model.p.stg", "model.p.beside"),
        "test.p.source_not_null_lines_id.2b": depends("source.p.shop.lines"),
        "test.p.not_null_countries_id.3c": depends("seed.p.countries"),
        "test.p.not_null_below_id.4d": depends("model.p.below"),
        "test.p.alone": depends(),
    },
    "unit_tests": {
        "unit_test.p.stg.a_line_is_a_purchase": depends("model.p.stg"),
        "unit_test.p.below.it_is_below": depends("model.p.below"),
    },
    "exposures": {"exposure.p.user_items": {"name": "user_items", **depends("model.p.items")}},
}
TESTS = [
    "test.p.not_null_countries_id.3c",
    "test.p.not_null_items_id.1a",
    "test.p.source_not_null_lines_id.2b",
    "test.p.stg_adds_up",
    "unit_test.p.stg.a_line_is_a_purchase",
]
FINISHED = "2026-11-24T22:22:58.691205Z"


def results(invocation: str = "one", **statuses: str) -> dict[str, Any]:
    """All tests passed, except those named by the last part of their id."""
    return {
        "metadata": {"invocation_id": invocation, "generated_at": FINISHED},
        "results": [
            {"unique_id": test, "status": statuses.get(test.split(".")[2], "pass")}
            for test in TESTS
            if statuses.get(test.split(".")[2]) != "missing"
        ],
    }


def test_the_tests_are_those_of_the_models_and_of_all_upstream() -> None:
    assert upstream_tests(MANIFEST, "user_items") == TESTS


def test_tests_that_passed_open_the_gate() -> None:
    assert gate(MANIFEST, results(), "user_items", COMMAND) == Gate(5, 5, 0, FINISHED)


def test_a_warning_is_counted_and_opens_the_gate() -> None:
    evaluated = gate(MANIFEST, results(stg_adds_up="warn"), "user_items", COMMAND)

    assert evaluated == Gate(5, 5, 1, FINISHED)


@pytest.mark.parametrize("status", ["fail", "error", "skipped", "runtime error"])
def test_a_test_that_did_not_pass_closes_the_gate(status: str) -> None:
    evaluated = gate(MANIFEST, results(not_null_items_id=status), "user_items", COMMAND)

    problem = f"{RULE} 1 of 5 that did not (not_null_items_id {status}): {REMEDY}"
    assert evaluated == Gate(5, 4, 0, FINISHED, problem)


def test_tests_that_did_not_run_close_the_gate() -> None:
    evaluated = gate(
        MANIFEST,
        results(stg="missing", not_null_countries_id="missing"),
        "user_items",
        COMMAND,
    )

    assert evaluated.problem == (
        f"{RULE} 2 of 5 that did not (not_null_countries_id not run, "
        f"stg.a_line_is_a_purchase not run): {REMEDY}"
    )


def test_a_test_that_was_only_compiled_did_not_run() -> None:
    evaluated = gate(MANIFEST, results(not_null_items_id="success"), "user_items", COMMAND)

    problem = f"{RULE} 1 of 5 that did not (not_null_items_id not run): {REMEDY}"
    assert evaluated == Gate(5, 4, 0, FINISHED, problem)


def test_five_tests_are_named_and_the_others_counted() -> None:
    nodes = {f"test.p.t{n}": depends("model.p.items") for n in range(7)}
    manifest = {**MANIFEST, "nodes": {**MANIFEST["nodes"], **nodes}}
    nothing = {"metadata": {"invocation_id": "one"}, "results": []}

    assert gate(manifest, nothing, "user_items", COMMAND).problem == (
        f"{RULE} 12 of 12 that did not (not_null_countries_id not run, not_null_items_id not run, "
        "source_not_null_lines_id not run, stg_adds_up not run, t0 not run and 7 more): "
        f"{REMEDY}"
    )


@pytest.mark.parametrize(
    ("manifest", "invocation"), [(MANIFEST, "two"), ({**MANIFEST, "metadata": {}}, None)]
)
def test_results_of_another_invocation_close_the_gate(
    manifest: dict[str, Any], invocation: Any
) -> None:
    evaluated = gate(manifest, results(invocation), "user_items", COMMAND)

    problem = f"{RULE} results and a manifest of different dbt commands: {REMEDY}"
    assert evaluated == Gate(5, finished=FINISHED, problem=problem)


def test_no_results_close_the_gate() -> None:
    problem = f"{RULE} no run_results.json next to the manifest: {REMEDY}"

    assert gate(MANIFEST, None, "user_items", COMMAND) == Gate(5, problem=problem)


def test_an_export_without_tests_needs_no_results() -> None:
    manifest = {
        "nodes": {"model.p.items": {"name": "items"}},
        "exposures": {"e": {"name": "user_items", **depends("model.p.items")}},
    }

    assert gate(manifest, None, "user_items", COMMAND) == Gate()


def test_a_skipped_gate_still_has_its_problem() -> None:
    problem = f"{RULE} no run_results.json next to the manifest: {REMEDY}"

    evaluated = gate(MANIFEST, None, "user_items", COMMAND, skipped=True)

    assert evaluated == Gate(5, problem=problem, skipped=True)


@pytest.mark.parametrize("text", [None, "", "{", "[]"])
def test_results_that_are_not_there_or_broken_are_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "run_results.json").write_text(text)

    assert read_results(tmp_path) is None


def test_results_are_read_from_the_folder_of_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "run_results.json").write_text(json.dumps(results()))

    assert read_results(tmp_path) == results()


def test_the_command_is_that_which_builds_the_export(tmp_path: Path) -> None:
    (tmp_path / "profiles.yml").touch()
    here = str(tmp_path)

    assert [
        build_command("e", tmp_path, None, None),
        build_command("e", Path("my project"), Path("q"), "prod"),
        build_command("e", Path("p"), None, None),
    ] == [
        f"dbt build --project-dir {here} --profiles-dir {here} --select +exposure:e",
        "dbt build --project-dir 'my project' --profiles-dir q --target prod --select +exposure:e",
        "dbt build --project-dir p --select +exposure:e",
    ]
