"""The documentation agrees with the code: links, commands, examples, messages, versions."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
import yaml

from benchmarks import __main__ as benchmarks
from docs import generate
from loader import cli
from loader.dbt.exposures import select_exports
from loader.storage.changeset import SCHEMA
from sandbox import cli as sandbox_cli
from sandbox import settings as sandbox_settings
from tests.support import manifests
from tests.support.repository import DBT_PROJECT, REPOSITORY, tracked

PAGES = {
    str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8")
    for path in tracked()
    if path.suffix == ".md"
}
CODE = {path: path.read_text() for path in tracked() if path.suffix == ".py"}
LOADER = {path: text for path, text in CODE.items() if path.is_relative_to(REPOSITORY / "loader")}
MAKEFILE = (REPOSITORY / "Makefile").read_text()
PROFILES = (DBT_PROJECT / "profiles.yml").read_text()
PORTS = {
    f"SANDBOX_{field.name.upper()}"
    for field in fields(sandbox_settings.Settings)
    if field.name.endswith("_port")
}
OWN_PROJECT, WRONG = PAGES["docs/your-own-project.md"], PAGES["docs/something-went-wrong.md"]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page, re.DOTALL | re.MULTILINE)


def test_the_generated_pages_are_up_to_date() -> None:
    assert generate.main(["--check"]) == 0


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_relative_link_leads_somewhere(name: str) -> None:
    broken = []
    for link in re.findall(r"\]\((?![a-z]+:)([^)\s]+)\)", PAGES[name]):
        path, _, anchor = link.partition("#")
        target = (REPOSITORY / name).parent / path if path else REPOSITORY / name
        headings = re.findall(r"^#+ (.*)", target.read_text(), re.M) if anchor else []
        if not target.exists() or (anchor and anchor not in map(slug, headings)):
            broken.append(link)

    assert broken == []


def test_every_page_that_the_code_names_exists() -> None:
    pages = {page for text in CODE.values() for page in re.findall(r"\bdocs/[\w/.-]+\.md\b", text)}

    assert sorted(page for page in pages if not (REPOSITORY / page).exists()) == []


PARSERS = {
    ("loader",): cli.parser(),
    ("python", "-m", "sandbox"): sandbox_cli._parser(),
    ("python", "-m", "benchmarks"): benchmarks.parser(),
}


def commands() -> Iterator[tuple[str, list[str]]]:
    """Page and words of each command of ours in a block of a shell, or in backquotes."""
    for page, text in PAGES.items():
        lines = "".join(blocks(text, "bash")).replace("\\\n", " ").splitlines()
        prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
        lines += re.findall(r"`((?:make|loader|python -m) [^`\n…]+)`", prose)
        for line in lines:
            words = shlex.split(line, comments=True)
            if words[:1] in (["make"], ["loader"]) or words[:2] == ["python", "-m"]:
                yield page, words


COMMANDS = [pytest.param(words, id=f"{page}: {' '.join(words)}") for page, words in commands()]


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_is_understood(words: list[str]) -> None:
    if words[0] == "make":
        assert re.search(rf"^\.PHONY: (.* )?{words[1]}( |$)", MAKEFILE, re.MULTILINE)
    elif words[0] == "python":
        assert importlib.util.find_spec(words[2])
    programs = [program for program in PARSERS if words[: len(program)] == [*program]]
    if programs and len(words) > 2:  # `loader show` alone is the name of a command
        assert PARSERS[programs[0]].parse_args(words[len(programs[0]) :])


def test_every_target_of_make_help_is_in_the_readme_or_in_contributing() -> None:
    named = set(re.findall(r"make ([a-z-]+)", PAGES["README.md"] + PAGES["CONTRIBUTING.md"]))

    assert set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE)) - named == set()


def settings_of(text: str) -> tuple[str, dict[str, Any], str]:
    """Name, settings and model of the exposure in a YAML example, without its Jinja."""
    document = yaml.safe_load(text.replace("\"{{ var('partitions') }}\"", '"30"'))
    [exposure] = [e for e in document["exposures"] if e["name"] != "x"]
    [model] = re.findall(r"ref\('(\w+)'\)", exposure["depends_on"][0])
    return exposure["name"], exposure["config"]["meta"]["dynamodb"], model


EXAMPLES = [
    text for page in ("README.md", "docs/exports.md") for text in blocks(PAGES[page], "yaml")
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_of_an_export_is_accepted(text: str) -> None:
    name, settings, _ = settings_of(text)

    [export] = select_exports(manifests.manifest(manifests.exposure(name, settings)), [])

    assert (export.name, export.table, export.partitions) == (name, settings["table"], 30)


def test_the_first_example_is_the_export_of_the_project() -> None:
    shipped = settings_of((DBT_PROJECT / "models" / "_exposures.yml").read_text())

    assert [settings_of(text) for text in EXAMPLES[:2]] == [shipped, shipped]


def test_the_changeset_on_the_page_of_the_architecture_is_its_schema() -> None:
    section = PAGES["docs/architecture.md"].split("**3.")[1].split("**4.")[0]

    columns = dict(re.findall(r"^\| `(\w+)` \| ([\w()]+) \|", section, re.MULTILINE))

    types = {
        f.name: re.sub(r"fixed_size_binary.(\d+).", r"binary(\1)", str(f.type)) for f in SCHEMA
    }
    assert columns == types


def rows_of(heading: str) -> dict[str, str]:
    """The first two cells of each row in the table of variables under that heading."""
    section = OWN_PROJECT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| (`.*?) \| (.*?) \|", section, re.MULTILINE))


def variables() -> set[str]:
    return set(re.findall(r"`(\w+)`", " ".join(rows_of("Environment variables"))))


def test_every_environment_variable_that_is_read_is_on_the_page() -> None:
    loader = "\n".join(LOADER.values())
    read = set(re.findall(r"""environ(?:\.get\(|\[)["'](\w+)""", loader)) - {"MASTER"}
    read |= set(re.findall(r"env_var\('(\w+)'", PROFILES))

    assert sorted((read | PORTS) - variables()) == []


def test_every_environment_variable_on_the_page_is_used() -> None:
    sandbox = [t for path, t in CODE.items() if path.is_relative_to(REPOSITORY / "sandbox")]
    code = "\n".join([*LOADER.values(), *sandbox, PROFILES])
    used = set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", code))

    assert sorted(variables() - used - PORTS) == []


def test_the_dbt_variables_on_the_page_are_those_of_the_project_with_their_defaults() -> None:
    text = (DBT_PROJECT / "dbt_project.yml").read_text()
    defaults = {name: str(value) for name, value in yaml.safe_load(text)["vars"].items()}
    defaults |= dict(re.findall(r"var\('(\w+)', '(\w+)'\)", text))

    assert {n.strip("`"): v.strip("`") for n, v in rows_of("dbt variables").items()} == defaults


def messages(*kinds: type[ast.expr]) -> Iterator[str]:
    """Each message of the loader as a regular expression; constants may be docstrings."""
    for node in (node for text in LOADER.values() for node in ast.walk(ast.parse(text))):
        if not isinstance(node, kinds):
            continue
        values = node.values if isinstance(node, ast.JoinedStr) else [node]
        words = [str(part.value) if isinstance(part, ast.Constant) else "\0" for part in values]
        text = "".join(words)
        known = " must " in text or "cannot " in text or text.startswith("interrupted: ")
        if len(text.replace("\0", "")) > 24 and known:
            # A message about rows ends in the value, which Spark adds; {…} is for str.format.
            parts = re.split(r"\0|\{.*?\}", f"{text}\0")
            yield ".*".join(map(re.escape, parts))


KNOWN = re.compile("|".join(set(messages(ast.JoinedStr, ast.Constant))))
QUOTED = [line for block in blocks(WRONG, "") for line in block.splitlines()]
QUOTED += re.findall(r"^\| `(.* must .*?)` \|", WRONG, re.MULTILINE)


@pytest.mark.parametrize("message", QUOTED)
def test_every_message_on_the_page_is_one_of_the_loader(message: str) -> None:
    assert KNOWN.fullmatch(message)


def test_every_message_of_the_loader_is_on_the_page() -> None:
    quoted = [*QUOTED, *re.findall(r"`([^`\n]+)`", WRONG)]
    internal = "a set of DynamoDB cannot hold"

    missing = {
        message
        for message in messages(ast.JoinedStr)
        if not any(re.fullmatch(message, text) for text in quoted)
    }

    assert [m for m in missing if not m.startswith(re.escape(internal))] == []


def test_every_test_that_the_decisions_name_exists() -> None:
    """A name may end with an ellipsis."""
    tests = {
        name
        for path, text in CODE.items()
        if "tests" in path.parts
        for name in (path.name, path.stem, *re.findall(r"def (test_\w+)", text))
    }
    decisions = "".join(text for name, text in PAGES.items() if name.startswith("docs/decisions/"))
    missing = [
        name
        for name, more in re.findall(r"\b(test_\w+(?:\.py)?)(…?)", decisions)
        if not (any(test.startswith(name) for test in tests) if more else name in tests)
    ]
    assert missing == []
