"""Run dbt commands in a child process, because dbt keeps state in the process that it runs in.

As a program, it reads commands as JSON, a list of arguments per command, and writes the results:

    python run_dbt.py FOLDER PROJECT < commands.json > results.json

dbt writes its artifacts and logs to FOLDER, so that the project stays clean, unless a command has
another folder.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def run_commands(
    folder: Path, project: Path, commands: Sequence[Sequence[str]], environment: dict[str, str]
) -> Any:
    """Run the commands in a child process, with no REDSHIFT_ or DBT_ variable but these.

    Returns a dict per command: `success`, `output`, `error`, and `nodes`: name -> status, failures.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("REDSHIFT_", "DBT_"))}
    process = subprocess.run(
        [sys.executable, __file__, str(folder), str(project)],
        input=json.dumps(commands),
        env=inherited | environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(process.stdout)


def run(arguments: list[str], folder: str, project: str) -> dict[str, object]:
    from dbt.cli.main import dbtRunner

    options = {
        "--project-dir": project,
        "--profiles-dir": project,
        "--target-path": folder,
        "--log-path": folder,
    }
    with contextlib.redirect_stdout(io.StringIO()) as output:
        given = [word for o in options.items() if o[0] not in arguments for word in o]
        result = dbtRunner().invoke(arguments + given)
    # The result of a parse is a manifest, that of docs a catalog: neither has results of nodes.
    nodes = getattr(result.result, "results", None) or []
    return {
        "success": result.success,
        "output": output.getvalue(),
        "error": " ".join(str(error) for error in chain(result.exception)),
        "nodes": {node.node.name: [str(node.status), node.failures] for node in nodes},
    }


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


if __name__ == "__main__":
    json.dump([run(arguments, *sys.argv[1:]) for arguments in json.load(sys.stdin)], sys.stdout)
