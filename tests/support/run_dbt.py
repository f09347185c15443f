"""Run dbt commands in one child process, because its import and start take seconds.

As a program, it reads a JSON line per call, with the folder, the project, the environment and the
commands, a list of arguments per command, and answers each with a JSON line: the results.

dbt writes its artifacts and logs to the folder, so that the project stays clean, unless a command
has another folder. Its child ends with this process, which closes its standard input.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

FORMS = ("REDSHIFT_", "DBT_")  # variables that dbt or the profile reads


def run_commands(
    folder: Path, project: Path, commands: Sequence[Sequence[str]], environment: Mapping[str, str]
) -> Any:
    """Run the commands, with no REDSHIFT_ or DBT_ variable but these.

    Returns a dict per command: `success`, `output`, `error`, and `nodes`: name -> status, failures.
    """
    child = _child()
    assert child.stdin
    assert child.stdout
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(FORMS)}
    call = [str(folder), str(project), {**inherited, **environment}, commands]
    child.stdin.write(f"{json.dumps(call)}\n")
    child.stdin.flush()
    answer = child.stdout.readline()
    if not answer:
        _child.cache_clear()
        raise ChildProcessError(f"dbt ended with exit code {child.wait()} in {commands}")
    return json.loads(answer)


@cache
def _child() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A signal to the tests, such as Ctrl-C, is none to dbt.
        start_new_session=True,
    )


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


def serve() -> None:
    """Answer calls until the standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what dbt prints past its redirection is no answer
    for line in sys.stdin:
        folder, project, environment, commands = json.loads(line)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        results = [run(arguments, folder, project) for arguments in commands]
        answers.write(f"{json.dumps(results)}\n")
        answers.flush()


if __name__ == "__main__":
    serve()
