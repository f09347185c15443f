"""A bundle has what a run needs of the dbt project, no more, and never a secret."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from loader.dbt.bundle import (
    bundle_inputs,
    bundle_schema,
    bundled_export,
    read_bundle,
    write_bundle,
)
from loader.dbt.bundling import make_bundle
from loader.dbt.project import read_project
from loader.errors import Refused, StorageFailed
from loader.package_version import package_version
from loader.settings import Settings
from loader.storage.location import Location
from loader.verbs.bundle import bundle_lines
from loader.warehouse.sign_in import SignIn
from tests.support.projects import export, project

MARKER = "Marker-Secret"
PROFILE: dict[str, Any] = {
    "type": "redshift",
    "host": "shop.abc123.eu-west-1.redshift.amazonaws.com",
    "port": 5439,
    "dbname": "dev",
    "user": "loader",
    "password": "{{ env_var('SHOP_PASSWORD') }}",
    "schema": "analytics",
}
EXPORTS = {
    "user_items": export("user_items", max_deletes="5%,100", write_capacity="12.5%"),
    "other": export("other_items", nulls="keep", attributes=["country"]),
}


def settings_of(folder: Path, exports: dict[str, Any] = EXPORTS, **profile: Any) -> Settings:
    """A project with this profile; None removes a field."""
    fields = {name: value for name, value in {**PROFILE, **profile}.items() if value is not None}
    profiles = {"redshift_to_dynamodb": {"target": "prod", "outputs": {"prod": fields}}}
    project(folder, exports, "analytics.stg_items", json.dumps(profiles))
    manifest = folder / "target" / "manifest.json"
    document = json.loads(manifest.read_text())
    document["metadata"] |= {
        "project_name": "shop",
        "generated_at": "2026-11-24T22:22:50.1Z",
        "env": {"GIT_COMMIT": "4cffb3a9", "TOKEN": MARKER},
    }
    manifest.write_text(json.dumps(document))
    return Settings(project_dir=folder, profiles_dir=folder)


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", MARKER)


@pytest.fixture
def place(tmp_path: Path) -> str:
    """The address of a bundle of the project."""
    path = str(tmp_path / "made" / "bundle.json")
    write_bundle(make_bundle(settings_of(tmp_path / "p"), []), path)
    return path


def refusal(action: Any, *arguments: Any, **named: Any) -> list[str]:
    with pytest.raises(Refused) as refused:
        action(*arguments, **named)
    return refused.value.problems


def test_the_inputs_of_a_bundle_are_those_of_the_project(place: str, tmp_path: Path) -> None:
    of_project = read_project(Settings(project_dir=tmp_path / "p"), [])
    of_bundle = bundle_inputs(Settings(bundle=place), [])

    assert of_project.connection
    assert of_bundle.connection
    assert (of_bundle.exports, of_bundle.tables, of_bundle.gates, of_bundle.problems) == (
        of_project.exports,
        of_project.tables,
        of_project.gates,
        (),
    )
    assert of_bundle.tables == {"other": "other_items", "user_items": "user_items"}
    assert of_bundle.connection.url == of_project.connection.url
    assert of_bundle.connection.driver == of_project.connection.driver
    login = of_bundle.connection.login()
    assert (login.user, login.password) == ("loader", MARKER)


def test_the_database_of_a_jdbc_file_replaces_that_of_project_and_bundle(
    place: str, tmp_path: Path
) -> None:
    file = tmp_path / "db.json"
    fields = {"url": "jdbc:mariadb://h/shop", "driver": "a.B", "package": "a:b:1"}
    file.write_text(json.dumps(fields))

    of_project = read_project(Settings(project_dir=tmp_path / "p", jdbc=file), [])
    of_bundle = bundle_inputs(Settings(bundle=place, jdbc=file), [])

    for inputs in (of_project, of_bundle):
        assert (str(inputs.connection), inputs.problems) == ("mariadb://h/shop", ())


JDBC = {
    "url": "jdbc:mariadb://h/shop",
    "driver": "a.B",
    "package": "a:b:1",
    "user_env": "OTHER_USER",
    "password_env": "OTHER_PASSWORD",
    "properties": {"connectTimeout": 5},
}


def jdbc_settings(folder: Path, **fields: Any) -> Settings:
    """A project whose profile is for another database, which this machine cannot sign in to."""
    settings = settings_of(folder / "p", type="mysql")
    file = folder / "db.json"
    file.write_text(json.dumps({**JDBC, **fields}))
    return replace(settings, jdbc=file)


def test_a_bundle_of_a_jdbc_file_has_its_database_without_user_and_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(tmp_path / "b.json")
    made = make_bundle(jdbc_settings(tmp_path), [])
    write_bundle(made, place)
    (tmp_path / "db.json").unlink()
    jsonschema.validate(json.loads(Path(place).read_text()), bundle_schema())

    assert bundle_inputs(Settings(bundle=place), []).problems == tuple(
        f"variable {name}, named in {place}, must be set, got none: set it"
        for name in ("OTHER_USER", "OTHER_PASSWORD")
    )
    monkeypatch.setenv("OTHER_USER", "reader")
    monkeypatch.setenv("OTHER_PASSWORD", MARKER)
    inputs = bundle_inputs(Settings(bundle=place), [])

    assert (inputs.problems, str(inputs.connection)) == ((), "mariadb://h/shop")
    assert inputs.connection
    assert (inputs.connection.source, inputs.connection.url) == (made.warehouse.source, JDBC["url"])
    assert not inputs.connection.allow_plain_http
    plain = bundle_inputs(Settings(bundle=place, allow_plain_http=True), []).connection
    assert plain and plain.allow_plain_http  # noqa: PT018  for mypy
    login = inputs.connection.login()
    assert (login.user, login.password) == ("reader", MARKER)
    assert bundle_lines(made, "b.json", datetime.now(timezone.utc))[:2] == [
        "b.json   project shop, dbt command one of 2026-11-24T22:22:50.1Z, commit 4cffb3a9",
        "  sign-in    variables OTHER_USER, OTHER_PASSWORD",
    ]


def test_a_database_without_a_name_is_read_from_a_bundle_too(tmp_path: Path) -> None:
    """dbt's adapters of MariaDB, MySQL and Spark write null: relations have a schema only."""
    settings = jdbc_settings(tmp_path)
    manifest = tmp_path / "p" / "target" / "manifest.json"
    document = json.loads(manifest.read_text())
    for node in document["nodes"].values():
        node["database"] = None
    manifest.write_text(json.dumps(document))
    place = str(tmp_path / "b.json")

    write_bundle(make_bundle(settings, []), place)

    databases = [e.relation.database for e in bundle_inputs(Settings(bundle=place), []).exports]
    assert databases == ["", ""]


def test_a_bundle_of_a_jdbc_file_signs_in_with_a_secret_of_aws(tmp_path: Path) -> None:
    settings = replace(jdbc_settings(tmp_path), secret="arn:x")  # noqa: S106
    place = str(tmp_path / "b.json")
    write_bundle(make_bundle(settings, []), place)

    for given in (None, "arn:y"):
        inputs = bundle_inputs(Settings(bundle=place, secret=given), [])

        assert inputs.problems == ()
        assert inputs.connection
        assert inputs.connection.sign_in == SignIn("secret", secret=given or "arn:x")


def test_a_bundle_of_a_jdbc_file_has_no_secret_and_no_second_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_PASSWORD", MARKER)

    settings = jdbc_settings(tmp_path, url=f"jdbc:mariadb://{MARKER}/shop")

    assert refusal(make_bundle, settings, [], "MORE") == [
        "--password-env must not be given with --jdbc, whose file has password_env, got both: "
        "remove one of them"
    ]
    assert refusal(make_bundle, settings, []) == [
        "warehouse.source.url of a bundle must not have a secret, got one of the --jdbc file: "
        "correct the file"
    ]


def test_a_bundle_names_its_project_and_its_build(place: str) -> None:
    bundle = read_bundle(place)

    assert asdict(bundle.origin) == {
        "project": "shop",
        "profile": "redshift_to_dynamodb",
        "target": "prod",
        "invocation": "one",
        "generated": "2026-11-24T22:22:50.1Z",
        "commit": "4cffb3a9",
    }
    assert (bundle.schema, bundle.loader) == (1, package_version())
    assert [(g.finished, g.invocation) for g in bundle.gates.values()] == 2 * [
        ("2026-11-24T22:22:58.6Z", "one")
    ]


@pytest.mark.parametrize(("invocation", "commit"), [("one", "bbbbbbb"), ("two", "4cffb3a9")])
def test_the_commit_is_that_of_the_results_of_the_same_command(
    invocation: str, commit: str, tmp_path: Path
) -> None:
    """The manifest of a partial parse has that of an earlier command."""
    settings = settings_of(tmp_path)
    file = tmp_path / "target" / "run_results.json"
    results = json.loads(file.read_text())
    results["metadata"] |= {"invocation_id": invocation, "env": {"GIT_COMMIT": "bbbbbbb"}}
    file.write_text(json.dumps(results))

    assert make_bundle(settings, []).origin.commit == commit


def test_only_the_owner_can_read_a_bundle_and_its_new_folder(place: str) -> None:
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (Path(place), Path(place).parent)]

    assert modes == [0o600, 0o700]


def test_a_bundle_fits_its_json_schema(place: str) -> None:
    document = json.loads(Path(place).read_text())

    jsonschema.validate(document, bundle_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "schema": "1"}, bundle_schema())


def test_no_secret_of_a_profile_is_in_its_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every field of dbt-redshift that a bundle does not need has the marker."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", MARKER)
    unused = ("access_key_id", "secret_access_key", "idp_listen_port", "idc_region", "issuer_url")
    unused += ("client_id", "client_secret", "token", "backup_secret", "search_path")
    settings = settings_of(
        tmp_path / "p", **dict.fromkeys(unused, MARKER), token_endpoint={"request_data": MARKER}
    )

    encoded = make_bundle(settings, []).encoded()

    assert MARKER.encode() not in encoded
    assert b"SHOP_PASSWORD" in encoded


def test_a_password_may_be_the_name_of_the_kind_of_the_warehouse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "postgres")

    bundle = make_bundle(settings_of(tmp_path, type="postgres", host="db.example"), [])

    assert (bundle.warehouse.kind, bundle.warehouse.host) == ("postgres", "db.example")


@pytest.mark.parametrize("field", ["host", "user", "dbname", "role", "schema"])
def test_a_secret_in_a_field_that_a_bundle_has_is_refused(tmp_path: Path, field: str) -> None:
    settings = settings_of(tmp_path / "p", **{field: "{{ env_var('SHOP_PASSWORD') }}"})

    if field == "schema":  # the relation is in the manifest
        assert MARKER.encode() not in make_bundle(settings, []).encoded()
        return
    [problem] = refusal(make_bundle, settings, [])
    assert problem.endswith(
        "of a bundle must not have a secret, got one of the dbt profile: correct the profile"
    )
    assert MARKER not in problem


@pytest.mark.parametrize(
    "password",
    [
        "{{ env_var('SHOP_PASSWORD') }}",
        '{{env_var("SHOP_PASSWORD")}}',
        "{{ env_var('SHOP_PASSWORD', 'default') }}",
        "{{ env_var('SHOP_PASSWORD') | as_text }}",
    ],
)
def test_a_password_that_is_one_variable_is_known_by_its_name(
    tmp_path: Path, password: str
) -> None:
    bundle = make_bundle(settings_of(tmp_path / "p", password=password), [])

    assert bundle.warehouse.sign_in == SignIn(user="loader", password_variable="SHOP_PASSWORD")  # noqa: S106


@pytest.mark.parametrize(
    "password", ["hunter2", "{{ env_var('SHOP_PASSWORD') }}x", "{{ 'hunter2' }}"]
)
def test_another_password_needs_a_variable_or_a_secret(tmp_path: Path, password: str) -> None:
    settings = settings_of(tmp_path / "p", password=password)

    assert refusal(make_bundle, settings, []) == [
        "password of the dbt profile must be one env_var() for a bundle, got another text: write "
        "\"{{ env_var('REDSHIFT_PASSWORD') }}\", or give --password-env or --secret"
    ]
    named = make_bundle(settings, [], "OTHER")
    assert named.warehouse.sign_in == SignIn(user="loader", password_variable="OTHER")  # noqa: S106
    of_secret = make_bundle(replace(settings, secret="arn:x"), [])  # noqa: S106
    assert of_secret.warehouse.sign_in == SignIn("secret", secret="arn:x")  # noqa: S106
    assert refusal(make_bundle, replace(settings, secret="arn:x"), [], "OTHER") == [  # noqa: S106
        "--password-env must not be given with --secret, which has the password, got both: "
        "remove one of them"
    ]


@pytest.mark.parametrize("given", [MARKER, "Hunter2Password"])
def test_a_password_instead_of_the_name_of_its_variable_is_refused_and_not_shown(
    tmp_path: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", given)

    assert refusal(make_bundle, settings_of(tmp_path / "p"), [], given) == [
        "--password-env must be the name of an environment variable, got another text: give the "
        "name, not the password"
    ]


def test_iam_signs_in_without_a_password_but_not_with_the_keys_of_the_profile(
    tmp_path: Path,
) -> None:
    iam = {"method": "iam", "password": None, "cluster_id": "shop", "region": "eu-west-1"}
    keys = {"access_key_id": "AKIA", "secret_access_key": MARKER}

    bundle = make_bundle(settings_of(tmp_path / "p", **iam), [])

    assert bundle.warehouse.sign_in == SignIn(
        "iam", user="loader", cluster_id="shop", region="eu-west-1"
    )
    assert refusal(make_bundle, settings_of(tmp_path / "q", **iam, **keys), []) == [
        "dbt profile must have no access_key_id for a bundle, got one: sign in with a role or "
        "iam_profile, or give --secret"
    ]


def test_a_bundle_has_the_named_exports_and_the_tables_of_all(tmp_path: Path) -> None:
    place = str(tmp_path / "b.json")
    write_bundle(make_bundle(settings_of(tmp_path / "p"), ["user_items"]), place)

    inputs = bundle_inputs(Settings(bundle=place), ["user_items", "other", "user_items"])

    assert [e.name for e in inputs.exports] == []
    assert inputs.problems == (
        f"export must be one of the bundle {place}, got other: it has user_items; make it again "
        "with this export",
    )
    assert [e.name for e in bundle_inputs(Settings(bundle=place), []).exports] == ["user_items"]
    assert bundled_export(Settings(bundle=place), "user_items").table == "user_items"
    assert read_bundle(place).tables == {"other": "other_items", "user_items": "user_items"}


def test_two_exports_of_one_table_are_refused_in_a_bundle_too(tmp_path: Path) -> None:
    exports = {"a": export("one"), "b": export("one")}
    bundle = make_bundle(settings_of(tmp_path / "p", {"a": export("one")}), [])
    write_bundle(replace(bundle, tables={"a": "one", "b": "one"}), str(tmp_path / "b.json"))
    shared = [
        "table one must be written by one export, got a and b: give each export a different table, "
        "or disable all but one"
    ]

    assert refusal(make_bundle, settings_of(tmp_path / "q", exports), ["a"]) == shared
    assert list(bundle_inputs(Settings(bundle=str(tmp_path / "b.json")), []).problems) == shared


def test_a_gate_that_failed_is_in_the_bundle_and_refuses_the_load(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "p")
    (tmp_path / "p" / "target" / "run_results.json").unlink()
    place = str(tmp_path / "b.json")
    made = make_bundle(replace(settings, skip_dbt_gate=True), ["user_items"])
    write_bundle(made, place)

    checked = bundle_inputs(Settings(bundle=place), [])
    skipped = bundle_inputs(Settings(bundle=place, skip_dbt_gate=True), [])

    [problem] = checked.failed_gates
    assert problem.startswith("dbt must have built and tested export user_items, got no run_resul")
    assert (skipped.failed_gates, skipped.gates["user_items"].problem) == ([], problem)
    assert bundle_lines(made, "my bundle.json", datetime.now(timezone.utc)) == [
        "my bundle.json   project shop, target prod, dbt command one of 2026-11-24T22:22:50.1Z, "
        "commit 4cffb3a9",
        "  sign-in    user loader and its password in SHOP_PASSWORD",
        f"  export     user_items → table user_items · a load is refused: {problem}",
        "  next       loader load --bundle 'my bundle.json'",
    ]


def test_all_problems_of_the_project_are_reported_together(tmp_path: Path) -> None:
    exports = {"user_items": export("x"), "other": export("other_items", key=None)}
    settings = settings_of(tmp_path / "p", exports, password="hunter2")  # noqa: S106

    problems = refusal(make_bundle, settings, [])

    assert [problem.split(":")[0] for problem in problems] == [
        "export other",
        "export user_items",
        "password of the dbt profile must be one env_var() for a bundle, got another text",
    ]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("{", "not JSON (Expecting property name enclosed in double quotes"),
        ("[]", "another document"),
        ('{"schema": 2}', "schema 2, not 1"),
        ("{}", "schema None, not 1"),
        ({"more": 1}, "wrong fields (more)"),
        ({"exports": [{"name": "x"}]}, "wrong fields (exports.0.model, exports.0.relation, "),
        ({"warehouse": {"password": MARKER}}, "wrong fields (warehouse.kind, warehouse.host, "),
        ({"gates": {}}, "no gate of other, user_items"),
        ({"tables": {"user_items": "another"}}, "one that was changed after it was made"),
        ({"checksum": ""}, "one that was changed after it was made"),
        (" " * (64 << 20) + "{}", "a file of more than 64 MB"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_file_that_is_no_bundle_of_this_version_is_refused(
    place: str, content: Any, cause: str
) -> None:
    if isinstance(content, dict):
        content = json.dumps({**json.loads(Path(place).read_text()), **content})
    Path(place).write_text(content)

    [problem] = refusal(bundle_inputs, Settings(bundle=place), [])

    assert problem.startswith(f"bundle {place} must be one of this version of the loader, got ")
    assert cause in problem
    assert problem.endswith(": make it again with `loader bundle`")
    assert MARKER not in problem


@pytest.mark.parametrize("action", ["read", "write"])
def test_a_bundle_that_s3_denies_needs_a_permission_of_its_own(
    place: str, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage of runs, which docs/iam/storage-s3.json is for, may be elsewhere."""
    remedy = (
        "Grant docs/iam/storage-s3.json, and check the policies of the bucket and of its KMS key"
    )
    bundle, address = read_bundle(place), "s3://bucket/bundles/b.json"

    def denied(self: Location, name: str, *_: Any) -> Any:
        raise StorageFailed(action, str(self / name), "AccessDenied: Access Denied", remedy)

    monkeypatch.setattr(Location, "plain_text_problem", lambda *_: None)
    monkeypatch.setattr(Location, "open", denied)
    monkeypatch.setattr(Location, "write", denied)
    if action == "read":
        assert refusal(read_bundle, address) == [
            f"cannot read the bundle {address}: AccessDenied: Access Denied. Grant s3:GetObject on "
            f"{address}, if it exists, and check the policies of the bucket and of its KMS key"
        ]
        return
    with pytest.raises(StorageFailed) as failed:
        write_bundle(bundle, address)
    assert str(failed.value) == (
        f"cannot write to {address}: AccessDenied: Access Denied. Grant s3:PutObject on {address}, "
        "and check the policies of the bucket and of its KMS key"
    )


def test_a_missing_bundle_and_one_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    assert refusal(read_bundle, str(tmp_path / "b.json")) == [
        f"bundle {tmp_path}/b.json must exist, got none: correct --bundle, or make it again with "
        "`loader bundle`"
    ]
    (tmp_path / "folder").mkdir()
    [problem] = refusal(read_bundle, str(tmp_path / "folder"))
    assert problem.startswith(f"cannot read the bundle {tmp_path}/folder: ")


def test_a_bundle_that_cannot_be_written_names_its_option(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageFailed) as failed:
        write_bundle(read_bundle(place), str(tmp_path / "file" / "b.json"))

    assert str(failed.value) == (
        f"cannot write to {tmp_path}/file/b.json: File exists. Check its owner, its mode and "
        "the free space, or choose another --output"
    )


def test_a_bundle_in_this_folder_needs_no_path(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bundle = read_bundle(place)

    write_bundle(bundle, "here.json")

    assert read_bundle("here.json") == bundle
    assert (tmp_path / "here.json").is_file()
