"""What dbt builds in the sandbox, and which of it the loader publishes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox import Sandbox
from sandbox.settings import DATABASE, USER
from tests.support.run_dbt import run_commands

pytestmark = pytest.mark.integration

Run = Callable[..., Any]

PROJECT = """
name: shop
version: "1.0"
profile: shop
flags: {send_anonymous_usage_stats: false}
target-path: "{{ env_var('SHOP_ARTIFACTS', 'target') }}/{{ target.name }}"
"""
# `two` has another name for the same server; `varies` takes its host from the environment.
PROFILES = """
shop:
  target: one
  outputs:
    one: &one
      type: redshift
      host: 127.0.0.1
      port: "{{ var('port') }}"
      dbname: dev
      user: loader_dev
      password: Sandbox-0nly
      schema: build_one
      sslmode: disable
    dev: &dev {<<: *one, schema: build_dev}
    two: {<<: *one, host: localhost}
    varies: {<<: *one, host: "{{ env_var('SHOP_HOST', '127.0.0.1') }}"}
    reader: {<<: *one, role: Build_Reader, schema: build_reader}
    pg_reader:
      <<: *one
      type: postgres
      port: "{{ var('postgres_port') }}"
      role: '"build_reader"'
      schema: build_reader
"""
FILES = {
    "dbt_project.yml": PROJECT,
    "profiles.yml": PROFILES,
    "seeds/colours.csv": "user_id,partition_id,colour\na,0,red\nb,1,blue\n",
    "models/orders.sql": """
        select user_id, partition_id, colour {{ ', no_such_column' if var('broken', false) }}
        from {{ ref('colours') }} as colours
    """,
    "models/who.sql": "select 'a' as user_id, 0 as partition_id, current_user as colour",
    "models/brief.sql": "{{ config(materialized='ephemeral') }} select 1 as user_id",
    "snapshots/colours.yml": """
snapshots:
  - name: history
    relation: ref('colours')
    config: {unique_key: user_id, strategy: check, check_cols: all}
""",
}
EXPOSURES = {
    "orders": "ref('orders')",
    "recorded": "ref('orders')",
    "colours": "ref('colours')",
    "history": "ref('history')",
    "raw": "source('raw', 'colours')",
    "brief": "ref('brief')",
    "who": "ref('who')",
}
EXPOSURE = """
  - name: {name}
    type: application
    owner: {{name: x, email: x@example.com}}
    depends_on: ["{node}"]
    config:
      meta:
        dynamodb:
          {{table: build_{name}, key: user_id, partition_column: partition_id, partitions: 2,
           attributes: [colour]{more}}}
"""
RECORDED = ', warehouse: "{{ target.host }}:{{ target.port }}"'


def write_project(folder: Path) -> None:
    exposures = "".join(
        EXPOSURE.format(name=name, node=node, more=RECORDED if name == "recorded" else "")
        for name, node in EXPOSURES.items()
    )
    models = (
        "sources: [{name: raw, schema: build_one, tables: [{name: colours}]}]\n"
        "models: [{name: orders, columns: [{name: user_id, data_tests: [not_null]}]}]\n"
        f"exposures:\n{exposures}"
    )
    for name, text in {**FILES, "models/models.yml": models}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@dataclass
class Shop:
    """A dbt project, and the folder with the artifacts of each build."""

    folder: Path
    port: int
    postgres_port: int

    @property
    def variables(self) -> str:
        return f"{{port: {self.port}, postgres_port: {self.postgres_port}}}"

    def load(self, loader: Run, build: str, *options: str, command: str = "plan") -> Any:
        """Run the loader with the artifacts of a build."""
        places = ["--project-dir", str(self.folder), "--storage", str(self.folder / "runs")]
        given = [*places, "--vars", self.variables, *options]
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("SHOP_ARTIFACTS", str(self.folder / build))
            return loader(command, *given, "--create-table")

    def refusal(self, loader: Run, build: str, *options: str, export: str = "orders") -> str:
        """What the gate found in a build, without its remedy."""
        run = self.load(loader, build, "--export", export, *options)
        [problem] = run.err.splitlines()[1:]
        rule, found = problem.split(", got ", 1)
        assert (run.code, rule) == (2, f"  1  dbt must have built and tested export {export}")
        return str(found.split(": run `dbt build ")[0])


@pytest.fixture(scope="module")
def shop(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """All builds, in one process of dbt. Each writes its artifacts into a folder of its own."""
    folder = tmp_path_factory.mktemp("shop")
    write_project(folder)
    ports = sandbox.settings
    shop = Shop(folder, ports.redshift_port, ports.postgres_port)
    with closing(sandbox._postgres.connect(DATABASE)) as session, session.cursor() as cursor:
        cursor.execute("create role build_reader")
        cursor.execute(f"grant build_reader to {USER}")
        cursor.execute(f"grant create on database {DATABASE} to build_reader")
        session.commit()

    def to(build: str, target: str, *command: str, **artifacts: str) -> list[str]:
        path = folder / build / artifacts.get("under", target)
        variables = [] if "--vars" in command else ["--vars", shop.variables]
        return [*command, *variables, "--target", target, "--target-path", str(path)]

    commands = [
        to("one", "one", "build"),
        to("dev", "dev", "build", under="one"),
        to("two", "two", "build", under="one"),
        to("varies", "varies", "build"),
        to("failed", "one", "run", "--vars", shop.variables.replace("{", "{broken: true, ")),
        to("empty", "one", "run", "--empty"),
        to("sample", "one", "run", "--sample", "1 day"),
        to("tested", "one", "run"),
        to("tested", "one", "test"),
        to("roles", "pg_reader", "run", "--select", "who"),
        to("roles", "reader", "run", "--select", "who"),
        # The build for the loads, after those that leave rows out.
        to("one", "one", "build"),
    ]
    *_, last = run_commands(folder, folder, commands, {})
    assert last["success"], last
    return shop


def test_a_build_is_loaded_in_its_own_target(loader: Run, shop: Shop, items: Run) -> None:
    run = shop.load(loader, "one", "--export", "orders", command="load")

    rows = [{"user_id": "a", "colour": "red"}, {"user_id": "b", "colour": "blue"}]
    assert (run.code, sorted(items("build_orders"), key=lambda i: i["user_id"])) == (0, rows)


def test_seeds_snapshots_and_sources_are_loaded(loader: Run, shop: Shop, items: Run) -> None:
    names = ("colours", "history", "raw")

    run = shop.load(loader, "one", "--export", *names, command="load")

    assert run.code == 0, run.err
    colours = [sorted(i["colour"] for i in items(f"build_{name}")) for name in names]
    assert colours == [["blue", "red"]] * 3


def test_an_ephemeral_model_is_refused(loader: Run, shop: Shop) -> None:
    run = shop.load(loader, "one", "--export", "brief")

    assert (run.code, run.err) == (
        2,
        "1 problem with the run, nothing was written\n"
        "  1  export brief: depends_on must be a view or a table, got the ephemeral model brief: "
        "materialize it as one of them\n",
    )


TESTS = "1 of 1 tests that did not pass (not_null_orders_user_id not run)"


@pytest.mark.parametrize(
    ("build", "found"),
    [
        (
            "dev",
            "a build in target dev while target one is read; "
            "a build in schema build_dev while schema build_one is read",
        ),
        (
            "two",
            "a build in target two while target one is read; "
            "a build in host localhost:{port} while host 127.0.0.1:{port} is read",
        ),
        ("failed", f"model orders error in `dbt run`; {TESTS}"),
        ("empty", f"`dbt run --empty`, which leaves rows out; {TESTS}"),
        ("sample", f"`dbt run --sample`, which leaves rows out; {TESTS}"),
        ("tested", "model orders not built in `dbt test`"),
    ],
)
def test_what_dbt_did_not_build_and_test_is_refused(
    loader: Run, shop: Shop, build: str, found: str
) -> None:
    assert shop.refusal(loader, build) == found.format(port=shop.port)


def test_a_production_target_does_not_get_the_rows_of_development(loader: Run, shop: Shop) -> None:
    """And the reverse: the target of the build is the profile's default."""
    (shop.folder / "one" / "dev").mkdir(exist_ok=True)
    for name in ("manifest.json", "run_results.json"):
        shutil.copy(shop.folder / "one" / "one" / name, shop.folder / "one" / "dev" / name)

    assert shop.refusal(loader, "one", "--target", "dev") == (
        "a build in target one while target dev is read; "
        "a build in schema build_one while schema build_dev is read"
    )


def test_a_host_from_the_environment_is_compared_if_the_exposure_records_it(
    loader: Run, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = shop.load(loader, "varies", "--export", "orders", "--target", "varies")
    monkeypatch.setenv("SHOP_HOST", "localhost")

    refused = shop.refusal(loader, "varies", "--target", "varies", export="recorded")

    [note] = [line for line in noted.out.splitlines() if line.startswith("  note")]
    assert note == (
        "  note       the host that dbt built in is not known, because profiles.yml takes it from "
        'a variable: add warehouse: "{{ target.host }}:{{ target.port }}" to the exposure'
    )
    host = f"127.0.0.1:{shop.port}"
    assert refused == f"a build in host {host} while host localhost:{shop.port} is read"


@pytest.mark.parametrize("target", ["reader", "pg_reader"])
def test_the_role_of_the_profile_reads_as_in_dbt(
    loader: Run, shop: Shop, items: Run, target: str
) -> None:
    run = shop.load(loader, "roles", "--export", "who", "--target", target, command="load")

    assert run.code == 0, run.err
    assert items("build_who") == [{"user_id": "a", "colour": "build_reader"}]
