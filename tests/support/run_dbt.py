"""Run dbt commands one after another, in a process that is not the tests': dbt keeps state.

    python run_dbt.py FOLDER [PROJECT] < commands.json > results.json

FOLDER takes all that dbt writes, so that nothing is left in the project. A command is a list of
arguments. There is no __init__.py here: a package called `dbt` would hide dbt itself.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from dbt.cli.main import dbtRunner

PROJECT = Path(__file__).parents[2] / "dbt_project"


def run(arguments: list[str], folder: str, project: str = str(PROJECT)) -> dict[str, object]:
    """What came of a command: whether it succeeded, what it said, and of each node the status."""
    places = {
        "--project-dir": project,
        "--profiles-dir": project,
        "--target-path": folder,
        "--log-path": folder,
    }
    with contextlib.redirect_stdout(io.StringIO()) as output:
        result = dbtRunner().invoke(
            arguments + [word for place in places.items() for word in place]
        )
    # A parse ends in a manifest and docs in a catalog, which have no results.
    nodes = getattr(result.result, "results", None) or []
    return {
        "success": result.success,
        "output": output.getvalue(),
        "error": " ".join(str(error) for error in chain(result.exception)),
        "nodes": {node.node.name: [str(node.status), node.failures] for node in nodes},
    }


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


if __name__ == "__main__":
    json.dump([run(arguments, *sys.argv[1:]) for arguments in json.load(sys.stdin)], sys.stdout)
