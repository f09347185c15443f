"""What the Markdown says is what the code does."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import MISSING, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import generate
from loader import cli
from loader.dbt.exposures import select_exports
from loader.dbt.gate import Gate
from loader.dynamodb.description import TableDescription
from loader.dynamodb.estimate import Written, estimate
from loader.dynamodb.prices import read_price
from loader.errors import Refused
from loader.plan.result import PartitionResult, Plan
from loader.report.context import RunContext
from loader.report.lines import report_lines
from loader.report.plan_lines import plan_facts, plan_lines
from loader.report.schema import report_fields
from loader.report.totals import Report
from loader.storage.changeset import SCHEMA, Part
from sandbox import cli as sandbox_cli
from sandbox import settings as sandbox_settings

REPOSITORY = Path(__file__).parents[2]


def tracked() -> list[Path]:
    command = ["git", "ls-files", "-z"]
    names = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    paths = [REPOSITORY / name for name in names.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


FILES = tracked()
PAGES = {
    str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8")
    for place in ("*.md", "docs/**/*.md", "sandbox/**/*.md")
    for path in sorted(REPOSITORY.glob(place))
}
README, EXPORTS, OPERATIONS = (
    PAGES[name] for name in ("README.md", "docs/exports.md", "docs/operations.md")
)
MAKEFILE = (REPOSITORY / "Makefile").read_text()
CODE = {p: p.read_text() for p in FILES if p.suffix == ".py" and "tests" not in p.parts}
LOADER = "\n".join(text for path, text in CODE.items() if REPOSITORY / "loader" in path.parents)
PROFILES = (REPOSITORY / "dbt_project" / "profiles.yml").read_text()


def blocks(page: str, *languages: str) -> list[str]:
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```", page, re.DOTALL | re.MULTILINE)
    return [text for language, text in found if not languages or language in languages]


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the table whose first head is that word."""
    table = re.search(rf"^\| {heading} \|.*\n\|[-:| ]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    assert table, f"no table with the heading {heading}"
    lines = table[1].splitlines()
    return [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def names(cell: str) -> list[str]:
    """What is in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


# Generated pages and environment


def test_the_generated_pages_are_up_to_date() -> None:
    assert generate.main(["--check"]) == 0


def test_every_environment_variable_of_the_readme_is_used() -> None:
    used = set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", PROFILES + "\n".join(CODE.values())))
    ports = {f.name for f in fields(sandbox_settings.Settings) if f.name.endswith("_port")}
    used |= {f"SANDBOX_{name.upper()}" for name in ports}

    named = set(re.findall(r"\b(?:REDSHIFT|AWS|DBT|JAVA|SANDBOX)_[A-Z0-9_]+\b", README))

    assert sorted(named - used) == []


def test_every_environment_variable_that_is_read_is_in_the_readme() -> None:
    in_profile = set(re.findall(r"env_var\('(\w+)'", PROFILES))
    in_loader = set(re.findall(r"""environ(?:\.get\(|\[)["'](\w+)""", LOADER))

    missing = in_profile | in_loader - {"MASTER", "AWS_REGION"}

    table = {name for row in rows(README, "Environment variable") for name in names(row[0])}
    assert sorted(missing - table) == []


def test_the_variables_of_the_dbt_project_are_in_the_readme() -> None:
    project = (REPOSITORY / "dbt_project" / "dbt_project.yml").read_text()
    staging = re.findall(r"var\('(\w+)', '(\w+)'\)", project)

    table = {
        names(name)[0]: default.strip("`") for name, default, _ in rows(README, "dbt variable")
    }

    assert table == {k: str(v) for k, v in yaml.safe_load(project)["vars"].items()} | dict(staging)


# Commands


def spoken(page: str) -> str:
    """All code of a page: blocks, and what is in backquotes within a line."""
    prose = re.sub(r"^ *```.*?^ *```", "", page, flags=re.DOTALL | re.MULTILINE)
    return "\n".join([*blocks(page), *re.findall(r"`([^`\n]+)`", prose)]).replace("\\\n", " ")


def make_targets(page: str) -> set[str]:
    return set(re.findall(r"(?:^|[\s>])make ([a-z-]+)", spoken(page)))


def helped() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE))


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_make_target_of_a_page_exists(name: str) -> None:
    declared = set(" ".join(re.findall(r"^\.PHONY: (.*)", MAKEFILE, re.MULTILINE)).split())

    assert sorted(make_targets(PAGES[name]) - declared) == []


def test_every_target_of_make_help_is_in_the_readme_or_in_contributing() -> None:
    assert helped() == helped() & make_targets(README + PAGES["CONTRIBUTING.md"])


def command_lines() -> Iterator[tuple[str, str, list[str]]]:
    """Page, program and arguments of each command of ours in the Markdown."""
    programs = r"loader (?:plan|load|recover|show)|python -m sandbox"
    pattern = rf"(?:^|[\s>(/])({programs})(?= )([^\n`;&)|#\"]*)"
    for page, text in PAGES.items():
        for program, arguments in re.findall(pattern, spoken(text)):
            if "…" not in arguments:
                command = f"{program}{arguments.rstrip()}".replace("python -m ", "").split()
                yield page, command[0], shlex.split(" ".join(command[1:]))


COMMANDS = list(command_lines())


@pytest.mark.parametrize(
    ("program", "arguments"),
    [pytest.param(p, a, id=f"{page}: {p} {' '.join(a)}") for page, p, a in COMMANDS],
)
def test_every_command_line_is_understood(program: str, arguments: list[str]) -> None:
    parser = {"loader": cli.parser, "sandbox": sandbox_cli._parser}[program]()

    assert parser.parse_args(arguments)


def test_the_pages_have_commands_of_both_programs() -> None:
    assert {program for _, program, _ in COMMANDS} == {"loader", "sandbox"}


# What is shown


def number(text: str) -> float:
    return float(text.replace(",", ""))


def test_the_report_of_the_readme_is_what_the_loader_prints() -> None:
    [screen] = [block for block in blocks(README) if "> make demo" in block]
    printed = re.search(r"user_items   complete.*?report\.html", screen, re.DOTALL)
    assert printed
    run, requests = re.findall(r"run (\S+)|in ([\d,]+) requests", printed[0])
    counts = r"warehouse  rows ([\d,]+) before .* ([\d,]+) after; .*keys ([\d,]+)"
    counted = re.findall(counts, printed[0])
    without_counts = re.sub(r"  warehouse .*\n", "", printed[0])
    facts = [number(n) for n in re.findall(r"(?<![-T\w])[\d,.]*\d(?![-\w])", without_counts)]
    total, read, grouped, no_key, items, put, rejected, not_sent, units = facts[:9]
    start, check, plan, apply = map(
        float, re.findall(r"(?:start|check|plan|apply) ([\d.]+) s", printed[0])
    )
    before, after, keys = (int(number(count)) for count in counted[0])
    report = Report(
        run=run[0], export="user_items", model="", table="user_items",
        folder=f".loader/user_items/runs/{run[0]}", rows_read=int(read),
        rows_grouped=int(grouped), rows_rejected=int(no_key), items=int(items),
        changes=int(items), put=int(put), rejected_by_plan=int(rejected), rejected_by_table=0,
        not_sent=int(not_sent), requests=int(number(requests[1])), retries=0, throttled=0,
        write_units=units, plan_seconds=plan, warehouse_rows_before=before,
        warehouse_rows_after=after, warehouse_keys=keys,
        context=RunContext(start_seconds=start, check_seconds=check, apply_seconds=apply),
    )  # fmt: skip

    lines = report_lines(report)

    # Seconds are shown rounded, so what is made of them may differ in the last digits.
    without_speed = [re.sub(r"(complete in|:) [\d.,]+ (s|rows/s.*)", "", line) for line in lines]
    shown_lines = printed[0].splitlines()
    assert abs(total - start - check - plan - apply) < 0.21
    assert without_speed == [
        re.sub(r"(complete in|:) [\d.,]+ (s|rows/s.*)", "", line) for line in shown_lines
    ]
    assert printed[0] in OPERATIONS


def test_the_plan_of_the_operations_page_is_what_the_loader_prints() -> None:
    [screen] = [block for block in blocks(OPERATIONS) if "> loader plan" in block]
    command, *shown_lines = screen.splitlines()
    plan = shown_plan(seconds=float(re.findall(r"([\d.]+) s, ", shown_lines[2])[0]))
    now = datetime(2026, 11, 24, 12, 3, tzinfo=timezone.utc)
    folder = shown_lines[-1].split()[-1]

    lines = plan_lines(plan, folder, now)

    assert command == "> loader plan --export user_items"
    # Seconds are shown rounded, so what is made of them may differ in the last digits.
    speed = r"[\d,]+ rows/s"
    assert [re.sub(speed, "", line) for line in shown_lines] == [
        re.sub(speed, "", line) for line in lines
    ]


def shown_plan(seconds: float) -> Plan:
    """The plan of the shipped data, as far as its summary needs it."""
    bulky_attributes = (("14911", 33_903), ("17841", 31_340), ("14606", 23_760))
    partition_results = [
        PartitionResult(number, largest_size=size, largest_key=f'"user_id":{{"S":"{user}"}}')
        for number, (user, size) in enumerate(bulky_attributes)
    ]
    fullest, others = 19_623, [n for n in range(30) if n != 18]
    partition_results.append(
        PartitionResult(18, fullest, items=4_314, part=Part(0, "", 4_314, 0, 5_483))
    )
    partition_results += [PartitionResult(n, (407_695 - fullest) // len(others)) for n in others]
    partition_results[-1].rows += (407_695 - fullest) % len(others)
    table = TableDescription("user_items", (("user_id", "S"),), "ACTIVE", on_demand=True)
    written = Written(4_314, 5_483, {"user_id": "S", "items": "L"}, frozenset({"items"}))
    return Plan(
        "", "user_items", "stg_retail__transactions", "user_items", [("user_id", "S")], 30, 2,
        seconds, partition_results, "us-east-1", 407_695, 4_314, 407_695,
        Gate(17, 17, 0, "2026-11-24T12:00:00Z"), table, [],
        estimate(written, table, read_price("us-east-1")),
    )  # fmt: skip


def test_every_field_of_the_report_is_on_the_operations_page() -> None:
    table = [name for row in rows(OPERATIONS, "Field") for name in names(row[0])]

    fields = [field.name for field in report_fields()]
    parents = {re.sub(r"(\[\])?\.\w+(\[\])?$", "", name) for name in fields if "." in name}
    assert sorted(table) == sorted({*fields} - parents)


def test_every_equation_of_the_report_is_on_the_operations_page_in_its_words() -> None:
    counted = {"warehouse_rows_before": 0, "warehouse_rows_after": 0, "warehouse_keys": 0}
    required = [f.name for f in fields(Report) if f.default is f.default_factory is MISSING]
    numbers = dict.fromkeys(required[5:], 0)
    report = Report("", "", "", "", "", **{**numbers, **counted})  # type: ignore[arg-type]

    table = [[names(name)[0], rule] for name, rule, _ in rows(OPERATIONS, "Sum")]

    assert table == [
        [one.name, f"{one.left.what} = {' + '.join(term.what for term in one.right)}"]
        for one in report.equations
    ]


def test_every_field_of_a_plan_in_json_is_on_the_operations_page() -> None:
    table = [name for row in rows(OPERATIONS, "Plan field") for name in names(row[0])]
    facts = plan_facts(shown_plan(1.0), "f")

    meanings = {names(row[0])[0]: names(row[1]) for row in rows(OPERATIONS, "Plan field")}

    assert sorted(table) == sorted(facts)
    for name in ("fullest_partition", "dbt_gate", "estimate"):
        assert [word for word in meanings[name] if word in facts[name]] == list(facts[name])
    assert set(meanings["described"]) | {"name"} == set(facts["described"])


def test_the_changeset_of_the_architecture_page_is_its_schema() -> None:
    page = PAGES["docs/architecture.md"].split("**3.")[1]
    types = {"int8": "int8", "string": "string", "int32": "int32", "binary(16)": "binary(16)"}

    table = {names(column)[0]: types[type_] for column, type_, _ in rows(page, "Column")}

    assert table == {
        field.name: str(field.type).replace("fixed_size_binary[16]", "binary(16)")
        for field in SCHEMA
    }


def stated(message: str) -> tuple[str, str, str]:
    """A message cut behind its rule, or behind what failed."""
    return message.partition(": " if message.startswith("cannot ") else ", got")


def rules() -> list[str]:
    """What stands before ", got" in each message of the loader, as a regular expression."""
    found = []
    for path, text in CODE.items():
        for node in ast.walk(ast.parse(text)) if REPOSITORY / "loader" in path.parents else ():
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            texts = [str(p.value) if isinstance(p, ast.Constant) else "\0" for p in parts]
            rule, got, _ = stated("".join(texts))
            if got and (" must " in rule or rule.startswith("cannot ")):
                found.append(".+".join(map(re.escape, rule.split("\0"))))
    return found


RULES = rules()


MESSAGES = [m for row in rows(OPERATIONS, "Class") for m in names(row[1])]
REASONS = [names(row[0])[0] for row in rows(OPERATIONS, "Reason")]


@pytest.mark.parametrize("message", MESSAGES + [r for r in REASONS if "Exception" not in r])
def test_every_refusal_and_reject_of_the_operations_page_is_in_the_code(message: str) -> None:
    rule, got, _ = stated(message)

    assert got
    assert [known for known in RULES if re.fullmatch(known, rule)]


# Links


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_relative_link_leads_somewhere(name: str) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", PAGES[name]):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (REPOSITORY / name).parent / path if path else REPOSITORY / name
        there = target.exists()
        if there and anchor:
            headings = re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE)
            there = anchor in {slug(heading) for heading in headings}
        if not there:
            broken.append(link)

    assert broken == []


def test_every_page_that_the_code_names_is_there() -> None:
    pages = {page for text in CODE.values() for page in re.findall(r"\bdocs/[\w/.-]+\.md\b", text)}

    assert sorted(page for page in pages if not (REPOSITORY / page).exists()) == []


# Exports


def example(text: str) -> dict[str, Any]:
    """The one exposure of a YAML example, after what dbt's Jinja would make of it."""
    [exposure] = yaml.safe_load(text.replace("\"{{ var('partitions') }}\"", '"30"'))["exposures"]
    return dict(exposure)


def manifest(*exposures: dict[str, Any]) -> dict[str, Any]:
    """The manifest that dbt would write for exposures as they are in YAML."""
    nodes: dict[str, Any] = {}
    parsed: dict[str, Any] = {}
    for number_, exposure in enumerate(exposures):
        models = re.findall(r"ref\('(\w+)'\)", " ".join(exposure["depends_on"]))
        nodes |= {f"model.m.{m}": {"database": "d", "schema": "s", "name": m} for m in models}
        needs = {"nodes": [f"model.m.{model}" for model in models]}
        parsed[str(number_)] = {**exposure, "depends_on": needs}
    return {"nodes": nodes, "exposures": parsed}


YAML = [
    (page, text)
    for page in ("README.md", "docs/exports.md")
    for text in blocks(PAGES[page], "yaml")
]


@pytest.mark.parametrize("text", [pytest.param(t, id=f"{p} {n}") for n, (p, t) in enumerate(YAML)])
def test_every_example_of_an_export_is_accepted(text: str) -> None:
    exposure = example(text)

    [export] = select_exports(manifest(exposure), [])

    settings = exposure["config"]["meta"]["dynamodb"]
    assert (export.name, export.table, export.partitions) == (
        exposure["name"],
        settings["table"],
        30,
    )


def test_the_export_of_the_readme_is_the_one_of_the_project() -> None:
    text = (REPOSITORY / "dbt_project" / "models" / "exports.yml").read_text()
    [shipped] = [e for e in [example(text)] if e["name"] == "user_items"]

    settings = [example(text)["config"] for _, text in YAML[:2]]

    assert settings == [shipped["config"]] * 2


GOOD = {
    "table": "user_items",
    "key": "user_id",
    "partition_column": "partition_id",
    "partitions": 30,
    "collect": {"items": {"column": "item_id"}},
}


def broken_exports() -> Iterator[tuple[str, dict[str, Any], str]]:
    """What is broken (the first cell of the table), the settings, and the model it depends on."""

    def without(name: str) -> dict[str, Any]:
        return {k: v for k, v in GOOD.items() if k != name}

    def collect(**settings: Any) -> dict[str, Any]:
        return {**GOOD, "collect": {"items": {"column": "item_id", **settings}}}

    model = "ref('m')"
    yield "no table", without("table"), model
    yield "a bad table", {**GOOD, "table": "a b"}, model
    yield "no key", without("key"), model
    yield "three keys", {**GOOD, "key": ["a", "b", "c"]}, model
    yield "a number as key", {**GOOD, "key": 7}, model
    yield "no partition column", without("partition_column"), model
    yield "no partitions", without("partitions"), model
    yield "a word that is not known", {**GOOD, "keys": "user_id"}, model
    yield "the same of `collect`", collect(sort="day"), model
    yield "a bad `collect`", {**GOOD, "collect": "items"}, model
    yield "no column", {**GOOD, "collect": {"items": {}}}, model
    yield "a bad `as`", collect(**{"as": "map"}), model
    yield "a bad `distinct`", collect(distinct="yes please"), model
    yield "a bad `limit`", collect(limit=0), model
    yield "a bad order", collect(order_by=["day DESC"]), model
    two = {"a": {"column": "x", "order_by": "day"}, "b": {"column": "x"}}
    yield "two orders", {**GOOD, "collect": two}, model
    yield "an attribute without a name", {**GOOD, "collect": {"": {"column": "item_id"}}}, model
    yield "a long name", {**GOOD, "collect": {"n" * 65_536: {"column": "item_id"}}}, model
    yield "a long name in the key", {**GOOD, "key": "p" * 256}, model
    yield "a bad `oversize`", {**GOOD, "oversize": "cut"}, model
    nothing = {**without("collect"), "oversize": {"split": "part"}}
    yield "nothing to split", nothing, model
    yield "two sort keys", {**GOOD, "key": ["user_id", "day"], "oversize": {"split": "p"}}, model
    yield "a count of nothing", collect(dropped="lost"), model
    yield "bad `nulls`", {**GOOD, "nulls": None}, model
    yield "bad `nulls` of one", {**GOOD, "attributes": "age", "nulls": {"age": "drop"}}, model
    yield "`nulls` of no attribute", {**GOOD, "nulls": {"day": "omit"}}, model
    yield "a NULL in a set", collect(**{"as": "set", "nulls": "keep"}), model
    yield "one name twice", {**GOOD, "attributes": "user_id"}, model
    yield "no model, or two", GOOD, ""


def test_the_messages_of_the_exports_page_are_those_of_a_broken_export() -> None:
    said = []
    for what, settings, model in broken_exports():
        exposure = {
            "name": "e",
            "depends_on": [model],
            "config": {"meta": {"dynamodb": settings}},
        }
        with pytest.raises(Refused) as refused:
            select_exports(manifest(exposure), [])
        for problem in refused.value.problems:
            said.append([what, re.sub(r"^export e: (collect\.\w+: )?", "", problem)])

    assert [[w, m.removeprefix("`").removesuffix("`")] for w, m in rows(EXPORTS, "Broken")] == said


def test_the_defaults_of_the_exports_page_are_the_loader_s() -> None:
    exposure = {
        "name": "e",
        "depends_on": ["ref('m')"],
        "config": {"meta": {"dynamodb": GOOD}},
    }
    [export] = select_exports(manifest(exposure), [])
    [collect] = export.collect
    settings = {**GOOD, "collect": {"<attribute>": {"column": "c", "as": "set"}}}
    exposure["config"] = {"meta": {"dynamodb": {**settings, "oversize": {"truncate": "first"}}}}
    [[of_set]] = [e.collect for e in select_exports(manifest(exposure), [])]
    real = {
        "as": collect.kind,
        "distinct": str(collect.distinct).lower(),
        "limit": str(collect.limit).lower(),
        "order_by": "none" if export.order_by == () else "",
        "nulls": f"{collect.nulls}`, of a set `{of_set.nulls}",
        "dropped": of_set.dropped,
    }
    page = EXPORTS.split("Of each attribute under `collect`:")[1]

    table = {names(row[0])[0]: row[2].strip("`") for row in rows(page, "Setting")}

    assert table == {"column": "required", **real}


# Permissions


def policies() -> dict[str, set[str]]:
    found = {}
    for path in sorted((REPOSITORY / "docs" / "iam").glob("*.json")):
        actions = [s["Action"] for s in json.loads(path.read_text())["Statement"]]
        found[path.name] = {a for one in actions for a in ([one] if isinstance(one, str) else one)}
    return found


def test_every_policy_allows_what_the_security_page_says_and_no_more() -> None:
    assert policies() == {
        "dynamodb-create-table.json": {"dynamodb:CreateTable"},
        "dynamodb-plan.json": {"dynamodb:DescribeTable"},
        "dynamodb-load.json": {"dynamodb:DescribeTable", "dynamodb:BatchWriteItem"},
        "dynamodb-show.json": {"dynamodb:DescribeTable", "dynamodb:GetItem"},
        "redshift-cluster.json": {"redshift:GetClusterCredentials"},
        "redshift-serverless.json": {"redshift-serverless:GetCredentials"},
        "storage-s3.json": {
            "s3:ListBucket",
            "s3:GetObject",
            "s3:PutObject",
            "s3:DeleteObject",
            "s3:AbortMultipartUpload",
        },
    }
    page = PAGES["docs/security.md"]
    assert sorted(policies()) == sorted(set(re.findall(r"\(iam/(\S+)\)", page)))


def test_the_policies_allow_every_call_that_the_loader_makes() -> None:
    clients = r"(?:\bdynamodb|(?<!http\.)\bclient)\s*\.(\w+)\("
    calls = set(re.findall(clients, LOADER)) - {"get_waiter"}
    allowed = {action.split(":")[1] for actions in policies().values() for action in actions}

    made = {"".join(word.capitalize() for word in call.split("_")) for call in calls}

    assert {"DescribeTable", "CreateTable", "GetItem", "GetCredentials"} <= made
    assert sorted(made - allowed) == []


# Hosts and paths


HOSTS = r"\b(?:[\w-]+\.)*(?:pypi|pythonhosted|npmjs|maven|crates)\.(?:org|com|io)\b"
MAVEN = r"\b(?:repo1?\.maven\.apache\.org|maven-central\.\S+)\b"
MACHINE = r"(?<![\w.$}~*-])/(?:root|work|home/\w+|Users/\w+)/[\w.-]+"


# Found, and told to who owns the file; a line goes when the file is mended.
def texts() -> Iterator[tuple[str, str]]:
    for path in FILES:
        try:
            yield str(path.relative_to(REPOSITORY)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_no_file_names_the_host_of_a_package_registry() -> None:
    assert [name for name, text in texts() if re.search(f"{HOSTS}|{MAVEN}", text)] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [(name, m[0]) for name, text in texts() for m in re.finditer(MACHINE, text)]

    assert found == []


def test_the_pinned_packages_name_no_address() -> None:
    pinned = ("constraints.txt", "bootstrap.txt", "sandbox/requirements.txt")

    assert [name for name, text in texts() if name in pinned and "://" in text] == []
