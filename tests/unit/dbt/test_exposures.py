import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from loader.change_limit import ChangeLimit
from loader.dbt.exposures import select_exports
from loader.dbt.manifest import read_manifest
from loader.errors import Refused
from loader.items.export import Collect, Export, Order, Relation
from loader.settings import Settings
from tests.support.exports import GOOD, collecting, export_of, problems_of, without
from tests.support.manifests import MODEL, ORDERS, exposure, manifest

PROFILES = """
shop:
  outputs:
    declared: &one
      {type: redshift, host: h, port: 1, user: u, password: p, dbname: d, schema: s}
    default: *one
"""
TABLE_RULE = "table must be 3 to 255 letters, digits, _ . -, or an ARN of a table"
KEY_RULE = "key must be one column or a list of one or two"
ORDER_RULE = "order_by must be a column or a list of columns, each alone or with asc or desc"
KNOWN = (
    "attributes, collect, external_id, key, max_changes, max_deletes, min_rows, nulls, oversize, "
    "partition_column, partitions, read, read_capacity, role_arn, table, warehouse, "
    "write_capacity"
)
KNOWN_COLLECT = "as, column, distinct, dropped, limit, nulls, order_by"

ROLE = "arn:aws:iam::{}:role/table-writer"


@pytest.mark.parametrize(
    ("declared", "limit"),
    [
        ("5%", ChangeLimit(Decimal(5))),
        (500, ChangeLimit(number=500)),
        ("500", ChangeLimit(number=500)),
        (["0.5%", 500], ChangeLimit(Decimal("0.5"), 500)),
        ("500, 0.5%", ChangeLimit(Decimal("0.5"), 500)),
    ],
)
def test_a_limit_of_changes_is_a_share_a_number_or_both(declared: Any, limit: ChangeLimit) -> None:
    export = export_of({**GOOD, "min_rows": "7", "max_deletes": declared, "max_changes": declared})

    assert (export.min_rows, export.max_deletes, export.max_changes) == (7, limit, limit)


def test_without_limits_an_export_needs_one_row_and_deletes_at_most_a_tenth() -> None:
    export = export_of(GOOD)

    assert (export.min_rows, str(export.max_deletes), export.max_changes) == (1, "10%", None)


@pytest.mark.parametrize("limit", [0.1, True, "101%", "10%,5%", [5, 6], "-1", "a%", [], ""])
def test_another_limit_of_deletes_is_refused(limit: Any) -> None:
    assert problems_of(exposure("user_items", {**GOOD, "max_deletes": limit})) == [
        "export user_items: max_deletes must be a share as 10%, a number as 500, or both as "
        f"10%,500, got {limit}: correct it"
    ]


@pytest.mark.parametrize(
    ("declared", "setting"), [(500, "500"), ("500", "500"), ("12.5%", "12.5%"), ("max", "max")]
)
def test_a_capacity_is_units_a_share_or_max(declared: Any, setting: str) -> None:
    export = export_of({**GOOD, "read_capacity": declared, "write_capacity": declared})

    assert (str(export.read_capacity), str(export.write_capacity)) == (setting, setting)


def test_without_a_setting_half_of_the_capacity_is_used() -> None:
    export = export_of(GOOD)

    assert (str(export.read_capacity), str(export.write_capacity)) == ("50%", "50%")


@pytest.mark.parametrize("capacity", [0, 0.5, True, "0%", "101%", "fast", [], ""])
def test_another_capacity_is_refused(capacity: Any) -> None:
    assert problems_of(exposure("user_items", {**GOOD, "read_capacity": capacity})) == [
        "export user_items: read_capacity must be units per second as 2000, a share as 50%, "
        f"or max, got {capacity}: correct it"
    ]


def test_an_exposure_becomes_an_export_with_all_its_settings() -> None:
    settings = {
        "table": "user.items-2",
        "key": ["user_id", "country"],
        "partition_column": "partition_id",
        "partitions": 30,
        "collect": {
            "items": {"column": "item_id", "as": "list", "order_by": ["purchased_at desc", "line"]},
            "brands": {
                "column": "brand",
                "as": "set",
                "order_by": ["purchased_at desc", "line asc"],
                "distinct": True,
                "limit": 5,
            },
        },
        "attributes": ["name", "age"],
    }

    assert export_of(settings) == Export(
        name="user_items",
        model="stg_shop__orders",
        relation=Relation("dev", "public", "stg_shop__orders"),
        table="user.items-2",
        key=("user_id", "country"),
        partition_column="partition_id",
        partitions=30,
        collect=(Collect("items", "item_id"), Collect("brands", "brand", "set", True, 5, "reject")),
        order_by=(Order("purchased_at", descending=True), Order("line")),
        attributes=("name", "age"),
    )


def test_an_export_needs_only_table_key_and_partitions() -> None:
    assert export_of(without("collect")) == Export(
        name="user_items",
        model="stg_shop__orders",
        relation=Relation("dev", "public", "stg_shop__orders"),
        table="user_items",
        key=("user_id",),
        partition_column="partition_id",
        partitions=30,
    )


def test_a_models_alias_is_the_relation_that_is_read() -> None:
    aliased = manifest(exposure("user_items", GOOD), node={**ORDERS, "alias": "orders_v2"})

    (export,) = select_exports(aliased, [])

    assert (export.model, str(export.relation)) == ("stg_shop__orders", "public.orders_v2")


def test_meta_at_the_top_of_an_exposure_counts_where_config_has_none() -> None:
    old = {
        "name": "user_items",
        "meta": {"dynamodb": GOOD},
        "depends_on": {"nodes": ["source.shop.raw", MODEL]},
    }

    assert select_exports(manifest(old), []) == [export_of(GOOD)]


def test_columns_are_named_once_each_key_first_in_the_order_of_the_export() -> None:
    settings = {
        **GOOD,
        "key": ["user_id", "item_id"],
        "collect": {
            "items": {"column": "item_id", "order_by": ["purchased_at", "user_id"]},
            "lines": {"column": "line", "order_by": ["purchased_at", "user_id"]},
        },
        "attributes": ["name", "purchased_at", "partition_id"],
    }

    assert export_of(settings).columns == (
        "user_id",
        "item_id",
        "partition_id",
        "line",
        "purchased_at",
        "name",
    )


@pytest.mark.parametrize(
    ("term", "order"),
    [
        ("day", Order("day")),
        ("day asc", Order("day")),
        ("day desc", Order("day", descending=True)),
        ('a"b', Order('a"b')),
        ('"bought at" desc', Order("bought at", descending=True)),
        ('"desc"', Order("desc")),
        ('"say ""when"" now" asc', Order('say "when" now')),
    ],
)
def test_a_column_of_an_order_is_quoted_as_in_sql_where_it_has_blanks(
    term: str, order: Order
) -> None:
    assert export_of(collecting(order_by=[term])).order_by == (order,)


def test_a_number_that_jinja_left_as_a_string_is_a_number() -> None:
    settings = {**collecting(limit=" 7 "), "partitions": "30"}

    export = export_of(settings)

    assert (export.partitions, export.collect) == (30, (Collect("items", "item_id", limit=7),))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (without("table"), f"{TABLE_RULE}, got nothing: name a DynamoDB table"),
        ({**GOOD, "table": 7}, f"{TABLE_RULE}, got 7: name a DynamoDB table"),
        (
            {**GOOD, "table": "user items"},
            f"{TABLE_RULE}, got user items: name a DynamoDB table",
        ),
        (
            {**GOOD, "table": "ab"},
            f"{TABLE_RULE}, got ab: name a DynamoDB table",
        ),
        (
            {**GOOD, "table": "items\n"},
            f"{TABLE_RULE}, got items\n: name a DynamoDB table",
        ),
        (without("key"), f"{KEY_RULE}, got nothing: set it"),
        ({**GOOD, "key": []}, f"{KEY_RULE}, got []: set it"),
        ({**GOOD, "key": ""}, f"{KEY_RULE}, got : set it"),
        (
            {**GOOD, "key": {"hash": "a"}},
            f"{KEY_RULE}, got {{'hash': 'a'}}: set it",
        ),
        (
            {**GOOD, "key": ["a", "b", "c"]},
            f"{KEY_RULE}, got ['a', 'b', 'c']: set it",
        ),
        (
            without("partition_column"),
            "partition_column must be the name of a column, got nothing: set it",
        ),
        (without("partitions"), "partitions must be a positive whole number, got nothing: set it"),
        ({**GOOD, "partitions": 0}, "partitions must be a positive whole number, got 0: set it"),
        ({**GOOD, "partitions": -1}, "partitions must be a positive whole number, got -1: set it"),
        (
            {**GOOD, "partitions": "-1"},
            "partitions must be a positive whole number, got -1: set it",
        ),
        ({**GOOD, "partitions": "x"}, "partitions must be a positive whole number, got x: set it"),
        (
            {**GOOD, "partitions": 2.5},
            "partitions must be a positive whole number, got 2.5: set it",
        ),
        (
            {**GOOD, "partitions": True},
            "partitions must be a positive whole number, got True: set it",
        ),
        (
            {**GOOD, "partition_colum": "p"},
            f"settings must be one of {KNOWN}, got partition_colum: correct its name",
        ),
        (
            {**GOOD, "attributes": ["a", 1]},
            "attributes must be a column or a list of columns, got ['a', 1]: set it",
        ),
        (
            {**GOOD, "collect": ["items"]},
            "collect must map attributes to settings, got ['items']: see docs/exports.md",
        ),
        (
            {**GOOD, "attributes": ["items"]},
            "key, collect and attributes must name each attribute once, got items: "
            "remove one of them",
        ),
        (
            {**GOOD, "key": ["user_id", "user_id"]},
            "key, collect and attributes must name each attribute once, got user_id: "
            "remove one of them",
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_its_rule(settings: dict[str, Any], problem: str) -> None:
    assert problems_of(exposure("user_items", settings)) == [f"export user_items: {problem}"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"column": None}, "column must be the name of a column, got nothing: set it"),
        ({"as": "map"}, "as must be list or set, got map: choose one"),
        ({"as": ["list"]}, "as must be list or set, got ['list']: choose one"),
        ({"distinct": "yes"}, "distinct must be true or false, got yes: choose one"),
        ({"limit": 0}, "limit must be a positive whole number, got 0: set it"),
        (
            {"order_by": ["purchased_at down"]},
            f"{ORDER_RULE}, got ['purchased_at down']: correct it",
        ),
        (
            {"order_by": ["purchased_at desc nulls"]},
            f"{ORDER_RULE}, got ['purchased_at desc nulls']: correct it",
        ),
        (
            {"ordered_by": []},
            f"settings must be one of {KNOWN_COLLECT}, got ordered_by: correct its name",
        ),
    ],
)
def test_a_setting_of_a_collected_attribute_is_refused_with_its_place(
    settings: dict[str, Any], problem: str
) -> None:
    assert problems_of(exposure("user_items", collecting(**settings))) == [
        f"export user_items: collect.items: {problem}"
    ]


def test_a_collected_attribute_without_settings_is_refused() -> None:
    settings = {**GOOD, "collect": {"items": "item_id"}}

    assert problems_of(exposure("user_items", settings)) == [
        "export user_items: collect.items: settings must be a mapping, got item_id: "
        "see docs/exports.md",
        "export user_items: collect.items: column must be the name of a column, got nothing: "
        "set it",
    ]


@pytest.mark.parametrize(
    ("orders", "shown"),
    [((["a", "b"], ["b", "a"]), "a, b; b, a"), ((["a"], None), "a; none")],
)
def test_collected_attributes_must_be_in_one_order(orders: tuple[Any, Any], shown: str) -> None:
    collect = {
        name: {"column": name, "order_by": order}
        for name, order in zip(("x", "y"), orders, strict=True)
    }

    assert problems_of(exposure("user_items", {**GOOD, "collect": collect})) == [
        "export user_items: order_by must be the same for all collected attributes, "
        f"got {shown}: give all of them the same order"
    ]


def test_orders_that_differ_only_in_direction_are_refused() -> None:
    collect = {
        "x": {"column": "x", "order_by": ["a"]},
        "y": {"column": "y", "order_by": ["a desc"]},
    }

    assert problems_of(exposure("user_items", {**GOOD, "collect": collect})) == [
        "export user_items: order_by must be the same for all collected attributes, "
        "got a; a desc: give all of them the same order"
    ]


@pytest.mark.parametrize("text", ["--5", "²"])
def test_a_string_that_is_no_number_is_refused(text: str) -> None:
    assert problems_of(exposure("user_items", {**GOOD, "partitions": text})) == [
        f"export user_items: partitions must be a positive whole number, got {text}: set it"
    ]


def test_a_blank_term_of_an_order_is_refused() -> None:
    assert problems_of(exposure("user_items", collecting(order_by=[" "]))) == [
        f"export user_items: collect.items: {ORDER_RULE}, got [' ']: correct it"
    ]


@pytest.mark.parametrize(
    ("nodes", "shown"),
    [
        ((), "none"),
        (("metric.shop.revenue",), "metric.shop.revenue"),
        (("seed.shop.a", "source.shop.raw.b"), "seed.shop.a, source.shop.raw.b"),
        ((MODEL, "model.shop.users"), f"{MODEL}, model.shop.users"),
    ],
)
def test_an_export_is_made_from_one_model(nodes: tuple[str, ...], shown: str) -> None:
    assert problems_of(exposure("user_items", GOOD, nodes)) == [
        f"export user_items: depends_on must be one model, seed, snapshot or source, got {shown}: "
        "publish one model, and join the others in it"
    ]


@pytest.mark.parametrize(
    ("node", "declared", "expected"),
    [
        ("seed.shop.colours", {"alias": "colours_2"}, ("colours", "dev.raw.colours_2")),
        ("snapshot.shop.users", {"alias": "users"}, ("users", "dev.raw.users")),
        ("source.shop.retail.lines", {"identifier": "lines_v1"}, ("lines", "dev.raw.lines_v1")),
    ],
)
def test_seeds_snapshots_and_sources_are_relations_too(
    node: str, declared: dict[str, Any], expected: tuple[str, str]
) -> None:
    place = {"database": "dev", "schema": "raw", "name": node.rsplit(".", maxsplit=1)[-1]}
    of_project = manifest(exposure("user_items", GOOD, [node]))
    of_project["sources" if node.startswith("source.") else "nodes"] = {node: place | declared}

    [export] = select_exports(of_project, [])

    assert (export.model, f"{export.relation.database}.{export.relation}") == expected


def test_an_ephemeral_model_is_not_in_the_warehouse() -> None:
    ephemeral = {**ORDERS, "config": {"materialized": "ephemeral"}}

    with pytest.raises(Refused) as refused:
        select_exports(manifest(exposure("user_items", GOOD), node=ephemeral), [])

    assert refused.value.problems == [
        "export user_items: depends_on must be a view or a table, got the ephemeral model "
        "stg_shop__orders: materialize it as one of them"
    ]


@pytest.mark.parametrize("warehouse", ["", 5439, ["127.0.0.1"]])
def test_a_warehouse_is_a_text(warehouse: Any) -> None:
    assert problems_of(exposure("user_items", {**GOOD, "warehouse": warehouse})) == [
        f"export user_items: warehouse must be host:port, got {warehouse}: "
        'write "{{ target.host }}:{{ target.port }}"'
    ]


def test_an_unknown_export_is_refused_with_the_names_of_the_known_ones() -> None:
    exposures = [exposure("b_items", GOOD), exposure("a_items", GOOD)]
    dashboard = {"name": "dashboard", "config": {"meta": {}}, "depends_on": {"nodes": []}}

    assert problems_of(*exposures, dashboard, names=("dashboard",)) == [
        "export must be an exposure with config.meta.dynamodb, got dashboard: "
        "the exports are a_items, b_items"
    ]


def test_an_unknown_export_is_refused_in_a_project_without_exports() -> None:
    assert problems_of(names=("user_items",)) == [
        "export must be an exposure with config.meta.dynamodb, got user_items: the exports are none"
    ]


def test_a_project_without_exports_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        select_exports({}, [])

    assert (refused.value.subject, refused.value.problems) == (
        "the project",
        [
            "the dbt project must declare an export, got no exposure with config.meta.dynamodb: "
            "add one (docs/exports.md)"
        ],
    )


def test_two_exports_must_not_write_one_table() -> None:
    exposures = [exposure("a_items", GOOD), exposure("b_items", GOOD)]

    assert problems_of(*exposures) == [
        "table user_items must be written by one export, got a_items and b_items: "
        "give each export a different table, or disable all but one"
    ]


@pytest.mark.parametrize(
    ("roles", "shown"),
    [
        (("", "222222222222"), None),
        (("222222222222", "333333333333"), None),
        (("222222222222", "222222222222"), "arn:aws:dynamodb::222222222222:table/user_items"),
        (("", ""), "user_items"),
    ],
)
def test_a_table_of_one_name_in_two_accounts_is_two_tables(
    roles: tuple[str, str], shown: str | None
) -> None:
    settings = [GOOD | {"role_arn": ROLE.format(r) if r else ""} for r in roles]
    exposures = [exposure(f"{n}_items", s) for n, s in zip("ab", settings, strict=True)]
    if shown is None:
        exports = select_exports(manifest(*exposures), [])
        assert [e.role_arn for e in exports] == [s["role_arn"] for s in settings]
        return

    assert problems_of(*exposures) == [
        f"table {shown} must be written by one export, got a_items and b_items: "
        "give each export a different table, or disable all but one"
    ]


def test_the_role_of_a_table_and_its_external_id_are_optional() -> None:
    role = ROLE.format("222222222222")
    plain = export_of(GOOD)
    alone = export_of({**GOOD, "role_arn": role})
    both = export_of({**GOOD, "role_arn": role, "external_id": "shop-7f3a"})

    assert [(e.role_arn, e.external_id) for e in (plain, alone, both)] == [
        ("", ""),
        (role, ""),
        (role, "shop-7f3a"),
    ]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"role_arn": "table-writer"},
            "role_arn must be the ARN of an IAM role, got table-writer: write "
            "arn:aws:iam::ACCOUNT:role/NAME",
        ),
        (
            {"role_arn": "arn:aws:iam::222222222222:role/x\n"},
            "role_arn must be the ARN of an IAM role, got arn:aws:iam::222222222222:role/x\n: "
            "write arn:aws:iam::ACCOUNT:role/NAME",
        ),
        (
            {"role_arn": "arn:aws:iam::222222222222:role/x", "external_id": "a b"},
            "external_id must be 2 to 1224 letters, digits or _+=,.@:/-, got a b: give that of "
            "the role's trust policy",
        ),
        (
            {"external_id": "shop-7f3a"},
            "external_id must be used with role_arn, got shop-7f3a: remove it",
        ),
    ],
)
def test_a_role_that_aws_would_not_accept_is_refused(
    settings: dict[str, Any], problem: str
) -> None:
    assert problems_of(exposure("user_items", GOOD | settings)) == [f"export user_items: {problem}"]


def test_an_export_whose_table_another_one_writes_is_refused_also_alone_but_may_be_shown() -> None:
    exposures = [exposure("a_items", GOOD), exposure("b_items", GOOD), exposure("c_items", {})]

    assert problems_of(*exposures, names=("b_items",)) == [
        "table user_items must be written by one export, got b_items and a_items: "
        "give each export a different table, or disable all but one"
    ]
    [shown] = select_exports(manifest(*exposures), ["b_items"], for_writing=False)
    assert shown.table == "user_items"


def test_an_export_that_was_not_asked_for_is_not_checked() -> None:
    exposures = [exposure("user_items", GOOD), exposure("broken", {})]

    exports = select_exports(manifest(*exposures), ["user_items", "user_items"])

    assert exports == [export_of(GOOD)]


def test_all_problems_of_all_exports_are_raised_at_once() -> None:
    broken = exposure("a_items", {"table": "a", "key": [], "partitions": "x"}, nodes=())
    twice = [exposure("b_items", GOOD), exposure("c_items", GOOD)]
    names = ["nothing", "c_items", "a_items", "b_items"]

    with pytest.raises(Refused) as refused:
        select_exports(manifest(broken, *twice), names)

    assert refused.value.subject == "exports nothing, c_items, a_items, b_items"
    assert refused.value.problems == [
        "export must be an exposure with config.meta.dynamodb, got nothing: "
        "the exports are a_items, b_items, c_items",
        f"export a_items: {TABLE_RULE}, got a: name a DynamoDB table",
        f"export a_items: {KEY_RULE}, got []: set it",
        "export a_items: partition_column must be the name of a column, got nothing: set it",
        "export a_items: partitions must be a positive whole number, got x: set it",
        "export a_items: depends_on must be one model, seed, snapshot or source, got none: "
        "publish one model, and join the others in it",
        "table user_items must be written by one export, got c_items and b_items: "
        "give each export a different table, or disable all but one",
    ]
    assert str(refused.value) == "\n".join(refused.value.problems)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dbt project with three target folders, each with a manifest that names its folder."""
    monkeypatch.delenv("DBT_TARGET_PATH", raising=False)
    monkeypatch.delenv("DBT_ENGINE_TARGET_PATH", raising=False)
    (tmp_path / "dbt_project.yml").write_text("name: shop\n")
    for target in ("target", "declared", "of_the_environment"):
        (tmp_path / target).mkdir()
        (tmp_path / target / "manifest.json").write_text(json.dumps({"of": target}))
    return tmp_path


def test_the_manifest_is_where_dbt_writes_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests_read = [read_manifest(Settings(project_dir=project))]
    (project / "dbt_project.yml").write_text("name: shop\ntarget-path: declared\n")
    manifests_read.append(read_manifest(Settings(project_dir=project)))
    monkeypatch.setenv("DBT_TARGET_PATH", "of_the_environment")
    manifests_read.append(read_manifest(Settings(project_dir=project)))
    monkeypatch.setenv("DBT_TARGET_PATH", str(project / "target"))
    manifests_read.append(read_manifest(Settings(project_dir=project)))

    assert manifests_read == [
        {"of": "target"},
        {"of": "declared"},
        {"of": "of_the_environment"},
        {"of": "target"},
    ]


def test_the_target_path_is_rendered_as_dbt_renders_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = (project / "dbt_project.yml").write_text
    (project / "profiles.yml").write_text(PROFILES)
    monkeypatch.setenv("FOLDER", "declared")
    texts = ("{{ env_var('FOLDER') }}", "{{ var('folder') }}", "{{ target.name }}")
    read = []
    for text in texts:
        write(f'name: shop\nprofile: shop\ntarget-path: "{text}"\n')
        settings = Settings(project_dir=project, vars={"folder": "of_the_environment"})
        read.append(read_manifest(replace(settings, target="declared")))
    write("name: shop\nprofile: shop\ntarget-path: \"{{ modules.re.sub('a', 'b', 'c') }}\"\n")

    assert read == [{"of": "declared"}, {"of": "of_the_environment"}, {"of": "declared"}]
    assert refusal_of(project)[0].startswith(
        "target-path of dbt_project.yml must use env_var, var and target only, got {{ modules."
    )


def test_both_names_of_the_target_path_are_read(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET_PATH", "declared")
    monkeypatch.setenv("DBT_ENGINE_TARGET_PATH", "of_the_environment")

    assert read_manifest(Settings(project_dir=project)) == {"of": "of_the_environment"}


def test_an_empty_dbt_project_yml_means_the_defaults(project: Path) -> None:
    (project / "dbt_project.yml").write_text("")

    assert read_manifest(Settings(project_dir=project)) == {"of": "target"}


def refusal_of(project: Path) -> list[str]:
    with pytest.raises(Refused) as refused:
        read_manifest(Settings(project_dir=project))
    return refused.value.problems


def test_a_folder_that_is_no_dbt_project_is_refused(tmp_path: Path) -> None:
    assert refusal_of(tmp_path) == [
        f"--project-dir must be a folder with a dbt_project.yml, got {tmp_path}: "
        "name your dbt project"
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("- name", "['name']"),
        (
            "name: \udce9",  # é in latin-1
            "'utf-8' codec can't decode byte 0xe9 in position 6: unexpected end of data",
        ),
        (
            "name: [",
            "while parsing a flow node expected the node content, but found '<stream end>' in "
            '"<unicode string>", line 1, column 8: name: [ ^',
        ),
    ],
)
def test_a_dbt_project_that_cannot_be_read_is_refused(project: Path, text: str, shown: str) -> None:
    (project / "dbt_project.yml").write_text(text, errors="surrogateescape")

    assert refusal_of(project) == [
        f"{project}/dbt_project.yml must be a mapping in YAML, got {shown}: fix it"
    ]


def test_a_missing_manifest_is_refused_with_the_command_that_makes_it(project: Path) -> None:
    (project / "target" / "manifest.json").unlink()

    assert refusal_of(project) == [
        f"dbt manifest {project}/target/manifest.json must exist, got none: "
        f"run `dbt build --project-dir {project}` (or `dbt parse`) first"
    ]


@pytest.mark.parametrize("name", ["target/manifest.json", "dbt_project.yml"])
def test_a_file_of_dbt_that_cannot_be_read_is_refused_with_its_cause(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    read_text = Path.read_text

    def refuse(file: Path, *arguments: Any, **options: Any) -> str:
        if file == project / name:
            raise PermissionError(13, "Permission denied")  # not by the mode: root may read all
        return read_text(file, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", refuse)

    what = "manifest" if "manifest" in name else "project file"
    assert refusal_of(project) == [
        f"cannot read dbt {what} {project}/{name}: Permission denied. Check its owner and its mode"
    ]


def test_a_manifest_that_is_not_json_is_refused(project: Path) -> None:
    (project / "target" / "manifest.json").write_text('{"nodes": ')

    assert refusal_of(project) == [
        f"cannot read dbt manifest {project}/target/manifest.json: "
        "Expecting value: line 1 column 11 (char 10). Run `dbt parse` again"
    ]
