"""`loader show` with keys and attributes of every type, and real items."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.projects import Project, export, project
from tests.support.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VALUES: dict[str, Any] = {
    "binary": {"B": b"\x1b\x00\xff"},
    "escape": {"S": "\x1b[2Jgone"},
    "nested": {"M": {"l": {"L": [{"B": b"\xff"}, {"S": "\x07"}, {"NULL": True}]}}},
    "set": {"BS": [b"\xff"]},
}
SHOWN = [
    "binary  GwD/",
    "escape  \\x1b[2Jgone",
    'nested  {"l": [/w==, "\\u0007", null]}',
    "set     1: /w==",
]


@pytest.fixture(scope="module")
def shown(dynamodb: DynamoDBClient, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Exports `show_pair`, `show_binary` and `show_number`, whose tables have items."""
    tables: dict[str, list[dict[str, Any]]] = {
        "show_pair": [{"k": {"S": "a"}, "s": {"S": "b/c"}}, {"k": {"S": "a/b"}, "s": {"S": "c"}}],
        "show_binary": [{"k": {"B": b"\xff\xef"}, "s": {"N": "-7"}}],
        "show_number": [{"k": {"N": "1.5"}}],
    }
    for table, keys in tables.items():
        types = {name: next(iter(value)) for name, value in keys[0].items()}
        create_table(dynamodb, table, types)
        for key in keys:
            dynamodb.put_item(TableName=table, Item={**key, **VALUES})
    folder = tmp_path_factory.mktemp("shown") / "p"
    return project(folder, {table: export(table) for table in tables}, "analytics.none")


def items(*keys: tuple[str, ...]) -> str:
    """The lines of items with these lines of keys."""
    return "\n\n".join("\n".join([*key, *SHOWN]) for key in keys) + "\n"


@pytest.mark.parametrize(
    ("table", "key", "lines"),
    [
        ("show_pair", "a/b/c", [("k       a", "s       b/c"), ("k       a/b", "s       c")]),
        ("show_binary", "/+8=/-7", [("k       /+8=", "s       -7")]),
        ("show_number", "1.5", [("k       1.5",)]),
    ],
)
def test_an_item_with_a_key_and_attributes_of_any_type_is_shown(
    loader: Run, shown: Project, table: str, key: str, lines: list[tuple[str, ...]]
) -> None:
    run = loader("show", *shown.arguments, table, key)

    assert (run.code, run.out, run.err) == (0, items(*lines), "")


def test_a_key_without_an_item_and_a_key_of_another_type_cannot_control_the_terminal(
    loader: Run, shown: Project, tmp_path: Path
) -> None:
    missing = loader("show", *shown.arguments, "show_pair", "\x1b[2J/b", "a/b/c")
    wrong = loader("show", *shown.arguments, "show_number", "\x1b[2J")

    assert (missing.code, missing.err) == (1, "")
    assert missing.out.splitlines()[:4] == [
        "\\x1b[2J/b: no such item",
        "",
        "k       a",
        "s       b/c",
    ]
    assert (wrong.code, wrong.err.splitlines()[1]) == (
        2,
        "  1  key must have k (N), got \\x1b[2J: "
        "give it as partition key/sort key, binary in base64",
    )
