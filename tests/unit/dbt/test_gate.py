import json
from pathlib import Path
from typing import Any

import pytest

from loader.dbt.gate import build_command, gate, read_results, upstream_tests
from loader.dbt.gate_result import Gate
from loader.dbt.profile import Profile, chosen_profile
from loader.settings import Settings

RULE = "dbt must have built and tested export user_items, got"
REMEDY = (
    "run `dbt build --project-dir p --select +exposure:user_items`, or load with --skip-dbt-gate"
)
NO_RESULTS = f"{RULE} no run_results.json next to the manifest: {REMEDY}"


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


def results(invocation: str = "one", model: str = "success", **statuses: str) -> dict[str, Any]:
    """The model is built and all tests passed, except those named by the last part of their id."""
    return {
        "metadata": {"invocation_id": invocation, "generated_at": FINISHED},
        "args": {"which": "build"},
        "results": [
            {"unique_id": "model.p.items", "status": model},
            *(
                {"unique_id": test, "status": statuses.get(test.split(".")[2], "pass")}
                for test in TESTS
                if statuses.get(test.split(".")[2]) != "missing"
            ),
        ],
    }


def of_command(which: str, nodes: dict[str, str], **arguments: Any) -> dict[str, Any]:
    """The results of any dbt command: the status of each node."""
    return {
        "metadata": {"invocation_id": "one", "generated_at": FINISHED},
        "args": {"which": which, **arguments},
        "results": [{"unique_id": node, "status": status} for node, status in nodes.items()],
    }


def evaluate(
    manifest: dict[str, Any], results: dict[str, Any] | None, profile: Profile | None = None
) -> Gate:
    return gate(Settings(project_dir=Path("p")), manifest, results, "user_items", profile)


def test_the_tests_are_those_of_the_models_and_of_all_upstream() -> None:
    assert upstream_tests(MANIFEST, "user_items") == TESTS


def test_tests_that_passed_open_the_gate() -> None:
    assert evaluate(MANIFEST, results()) == Gate(5, 5, 0, FINISHED, invocation="one")


def test_a_warning_is_counted_and_opens_the_gate() -> None:
    evaluated = evaluate(MANIFEST, results(stg_adds_up="warn"))

    assert evaluated == Gate(5, 5, 1, FINISHED, invocation="one")


@pytest.mark.parametrize("status", ["fail", "error", "skipped", "runtime error"])
def test_a_test_that_did_not_pass_closes_the_gate(status: str) -> None:
    evaluated = evaluate(MANIFEST, results(not_null_items_id=status))

    problem = f"{RULE} 1 of 5 tests that did not pass (not_null_items_id {status}): {REMEDY}"
    assert evaluated == Gate(5, 4, 0, FINISHED, problem, invocation="one")


def test_tests_that_did_not_run_close_the_gate() -> None:
    evaluated = evaluate(MANIFEST, results(stg="missing", not_null_countries_id="missing"))

    assert evaluated.problem == (
        f"{RULE} 2 of 5 tests that did not pass (not_null_countries_id not run, "
        f"stg.a_line_is_a_purchase not run): {REMEDY}"
    )


def test_a_test_that_was_only_compiled_did_not_run() -> None:
    evaluated = evaluate(MANIFEST, results(not_null_items_id="success"))

    problem = f"{RULE} 1 of 5 tests that did not pass (not_null_items_id not run): {REMEDY}"
    assert evaluated == Gate(5, 4, 0, FINISHED, problem, invocation="one")


def test_five_tests_are_named_and_the_others_counted() -> None:
    nodes = {f"test.p.t{n}": depends("model.p.items") for n in range(7)}
    manifest = {**MANIFEST, "nodes": {**MANIFEST["nodes"], **nodes}}

    assert evaluate(manifest, of_command("build", {"model.p.items": "success"})).problem == (
        f"{RULE} 12 of 12 tests that did not pass (not_null_countries_id not run, "
        "not_null_items_id not run, source_not_null_lines_id not run, stg_adds_up not run, "
        "t0 not run and 7 more): "
        f"{REMEDY}"
    )


@pytest.mark.parametrize(
    ("manifest", "invocation"), [(MANIFEST, "two"), ({**MANIFEST, "metadata": {}}, None)]
)
def test_results_of_another_invocation_close_the_gate(
    manifest: dict[str, Any], invocation: Any
) -> None:
    evaluated = evaluate(manifest, results(invocation))

    problem = f"{RULE} results and a manifest of different dbt commands: {REMEDY}"
    assert evaluated == Gate(
        5, finished=FINISHED, problem=problem, invocation=str(invocation or "")
    )


def test_no_results_close_the_gate() -> None:
    assert evaluate(MANIFEST, None) == Gate(5, problem=NO_RESULTS)


UNTESTED: dict[str, Any] = {
    "metadata": {"invocation_id": "one"},
    "nodes": {"model.p.items": {"name": "items"}},
    "exposures": {"e": {"name": "user_items", **depends("model.p.items")}},
}


def test_an_export_without_tests_needs_a_build() -> None:
    built = of_command("run", {"model.p.items": "success"})

    assert evaluate(UNTESTED, built) == Gate(finished=FINISHED, invocation="one")
    assert evaluate(UNTESTED, None) == Gate(problem=NO_RESULTS)


@pytest.mark.parametrize("status", ["error", "skipped", "no-op", "partial success"])
def test_a_model_that_was_not_built_closes_the_gate(status: str) -> None:
    evaluated = evaluate(MANIFEST, results(model=status))

    problem = f"{RULE} model items {status} in `dbt build`: {REMEDY}"
    assert evaluated == Gate(5, 5, 0, FINISHED, problem, invocation="one")


@pytest.mark.parametrize(
    ("which", "invocation_command", "shown"),
    [
        ("test", "dbt test", "dbt test"),
        ("seed", "dbt seed", "dbt seed"),
        ("build", "dbt -q retry", "dbt retry"),
    ],
)
def test_a_command_that_did_not_build_the_model_closes_the_gate(
    which: str, invocation_command: str, shown: str
) -> None:
    """`dbt test` cannot show whether the build before it ended well, or had --empty."""
    passed = of_command(which, dict.fromkeys(TESTS, "pass"), invocation_command=invocation_command)

    problem = f"{RULE} model items not built in `{shown}`: {REMEDY}"
    assert evaluate(MANIFEST, passed) == Gate(5, 5, 0, FINISHED, problem, invocation="one")


@pytest.mark.parametrize("which", ["compile", "generate", "clone"])
def test_a_command_that_gives_success_without_a_build_closes_the_gate(which: str) -> None:
    assert evaluate(UNTESTED, of_command(which, {"model.p.items": "success"})).problem == (
        f"{RULE} model items not built in `dbt {which}`: {REMEDY}"
    )


@pytest.mark.parametrize(
    "argument", [{"empty": True}, {"sample": {"start": "2026-11-25", "end": "2026-11-26"}}]
)
def test_a_build_that_leaves_rows_out_closes_the_gate(argument: dict[str, Any]) -> None:
    [option] = argument
    built = of_command("build", {"model.p.items": "success"}, **argument)

    assert evaluate(UNTESTED, built).problem == (
        f"{RULE} `dbt build --{option}`, which leaves rows out: {REMEDY}"
    )


@pytest.mark.parametrize(
    ("node", "status", "failure"),
    [
        ("seed.p.countries", "success", ""),
        ("seed.p.countries", "error", "seed countries error in `dbt build`"),
        ("snapshot.p.users", "not built", "snapshot users not built in `dbt build`"),
        ("source.p.shop.lines", "not built", ""),
    ],
)
def test_seeds_and_snapshots_are_built_and_sources_are_not(
    node: str, status: str, failure: str
) -> None:
    exposed = {**UNTESTED, "exposures": {"e": {"name": "user_items", **depends(node)}}}
    built = of_command("build", {node: status} if status != "not built" else {})

    assert evaluate(exposed, built).problem == (f"{RULE} {failure}: {REMEDY}" if failure else "")


PROFILES = """
shop:
  target: one
  outputs:
    one: &one
      type: redshift
      host: one.example.com
      port: 5439
      user: loader
      password: secret
      dbname: dev
      schema: analytics
    dev: {<<: *one, schema: dev}
    two: {<<: *one, host: two.example.com}
    varies: {<<: *one, host: "{{ env_var('SHOP_HOST', 'one.example.com') }}"}
other: {target: one, outputs: {one: {type: redshift, host: other.example.com, port: 5439,
  user: u, password: p, dbname: other, schema: analytics}}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dbt_project.yml").write_text("name: shop\nprofile: shop\n")
    (tmp_path / "profiles.yml").write_text(PROFILES)
    return tmp_path


def failures(
    project: Path,
    built: dict[str, Any],
    read: dict[str, Any],
    node: dict[str, Any] | None = None,
    macros: tuple[str, ...] = (),
    warehouse: str | None = None,
) -> list[str]:
    """What the gate finds in a build with these arguments, where these options are read."""
    settings = Settings(project_dir=project, **read)
    meta = {"config": {"meta": {"dynamodb": {"warehouse": warehouse}}}}
    manifest = {
        **UNTESTED,
        "nodes": {"model.p.items": {"name": "items", "schema": "analytics", **(node or {})}},
        "exposures": {"e": {**UNTESTED["exposures"]["e"], **meta}},
        "macros": dict.fromkeys(["macro.dbt.generate_schema_name", *macros]),
    }
    results = of_command("build", {"model.p.items": "success"}, **built)
    evaluated = gate(settings, manifest, results, "user_items", chosen_profile(settings))
    shown = evaluated.problem.removeprefix(f"{RULE} ").split(": run `")[0]
    return [part for part in (*shown.split("; "), evaluated.note) if part]


RECORD_HOST = 'add warehouse: "{{ target.host }}:{{ target.port }}" to the exposure'
NOT_RECORDED = (
    "the host that dbt built in is not known, because profiles.yml takes it from a variable: "
    f"{RECORD_HOST}"
)
TWO = "a build in target two while target one is read"
TWO_HOSTS = "a build in host two.example.com:5439 while host one.example.com:5439 is read"
OTHER = [
    "a build in profile other while profile shop is read",
    "a build in host other.example.com:5439 while host one.example.com:5439 is read",
    "a build in database other while database dev is read",
]


@pytest.mark.parametrize(
    ("built", "read", "expected"),
    [
        ({}, {}, []),
        ({"target": "one"}, {}, []),
        ({}, {"target": "one", "profile": "shop"}, []),
        ({"target": "two"}, {"target": "two"}, []),
        ({"target": "two"}, {}, [TWO, TWO_HOSTS]),
        ({"profile": "other"}, {}, OTHER),
        ({"profile": "other", "target": "one"}, {"profile": "other"}, []),
        (
            {"target": "nowhere"},
            {},
            ["a build whose profile is lost (cannot read the dbt profile in"],
        ),
    ],
)
def test_a_build_in_another_target_closes_the_gate(
    project: Path, built: dict[str, Any], read: dict[str, Any], expected: list[str]
) -> None:
    found = failures(project, {"profiles_dir": str(project), **built}, read)

    assert [shown[: len(text)] for shown, text in zip(found, expected, strict=True)] == expected


def test_a_build_with_another_profiles_yml_closes_the_gate(project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "profiles.yml").write_text(PROFILES.replace("one.example", "two.example"))

    assert failures(project, {"profiles_dir": str(elsewhere)}, {}) == [TWO_HOSTS]


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        (
            None,
            [
                "the host that dbt built in is not known, because /no/such/folder has no "
                f"profiles.yml on this machine: {RECORD_HOST}"
            ],
        ),
        ("one.example.com:5439", []),
        ("two.example.com:5439", [TWO_HOSTS]),
    ],
)
def test_the_host_of_a_build_on_another_machine_must_be_recorded_to_be_compared(
    project: Path, recorded: str | None, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")  # as for the home of another user

    monkeypatch.setattr(Path, "exists", refuse)
    built = {"profiles_dir": "/no/such/folder"}

    assert failures(project, built, {}, warehouse=recorded) == expected


@pytest.mark.parametrize(
    ("node", "macros", "expected"),
    [
        ({"schema": "ANALYTICS"}, [], []),
        ({"schema": "dev"}, [], ["a build in schema dev while schema analytics is read"]),
        ({"schema": "dev_marts", "config": {"schema": "marts"}}, [], ["a build in schema dev"]),
        ({"schema": "analytics_marts", "config": {"schema": "marts"}}, [], []),
        ({"schema": "marts"}, ["macro.shop.generate_schema_name"], []),
        ({"schema": "snapshots", "config": {"target_schema": "snapshots"}}, [], []),
        ({"schema": "retail", "resource_type": "source"}, [], []),
    ],
)
def test_a_build_in_a_schema_that_the_target_does_not_give_closes_the_gate(
    project: Path, node: dict[str, Any], macros: list[str], expected: list[str]
) -> None:
    found = failures(project, {}, {}, node, tuple(macros))

    assert [shown[: len(text)] for shown, text in zip(found, expected, strict=True)] == expected


@pytest.mark.parametrize(
    ("host", "recorded", "expected"),
    [
        ("one.example.com", "one.example.com:5439", []),
        ("one.example.com", None, [NOT_RECORDED]),
        ("two.example.com", None, [NOT_RECORDED]),
        (
            "two.example.com",
            "one.example.com:5439",
            ["a build in host one.example.com:5439 while host two.example.com:5439 is read"],
        ),
    ],
)
def test_a_host_from_the_environment_must_be_recorded_to_be_compared(
    project: Path,
    host: str,
    recorded: str | None,
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_HOST", host)
    built = {"profiles_dir": str(project), "target": "varies"}

    assert failures(project, built, {"target": "varies"}, warehouse=recorded) == expected


def test_a_skipped_gate_still_has_its_problem() -> None:
    settings = Settings(project_dir=Path("p"), skip_dbt_gate=True)

    evaluated = gate(settings, MANIFEST, None, "user_items", None)

    assert evaluated == Gate(5, problem=NO_RESULTS, skipped=True)


@pytest.mark.parametrize("text", [None, "", "{", "[]"])
def test_results_that_are_not_there_or_broken_are_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "run_results.json").write_text(text)

    assert read_results(tmp_path) is None


def test_results_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    (tmp_path / "run_results.json").mkdir()

    assert read_results(tmp_path) is None


def test_results_are_read_from_the_folder_of_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "run_results.json").write_text(json.dumps(results()))

    assert read_results(tmp_path) == results()


def test_the_command_is_that_which_builds_the_export(tmp_path: Path) -> None:
    (tmp_path / "profiles.yml").touch()
    here = str(tmp_path)
    given = {"profile": "q", "target": "prod", "vars": {"a": {"password": "x"}}}
    many = Settings(project_dir=Path("my project"), profiles_dir=Path("q"), **given)

    assert [
        build_command(Settings(project_dir=tmp_path), "e"),
        build_command(many, "e"),
        build_command(Settings(project_dir=Path("p")), "e"),
    ] == [
        f"dbt build --project-dir {here} --profiles-dir {here} --select +exposure:e",
        "dbt build --project-dir 'my project' --profiles-dir q --profile q --target prod "
        """--vars '{"a": {"password": "<secret>"}}' --select +exposure:e""",
        "dbt build --project-dir p --select +exposure:e",
    ]
