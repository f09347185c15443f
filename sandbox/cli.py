"""python -m sandbox up | down | status | env | reset | seed | run"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sandbox.errors import SandboxError, UsageError
from sandbox.sandbox import Sandbox
from sandbox.settings import Settings, load_settings

OK, FAILED, USAGE, NOT_RUNNING = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    options = vars(_parser().parse_args(arguments))
    command, file = options.pop("command"), options.pop("file", None)
    words = options.pop("words", None)
    try:
        if words:
            return _run_in_a_sandbox(words)
        sandbox = Sandbox(load_settings(os.environ, options))
        return _run(sandbox, command, file)
    except UsageError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return USAGE
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return FAILED


def _run(sandbox: Sandbox, command: str, file: Path | None) -> int:
    if command == "status":
        return _print_status(sandbox)
    if command == "env":
        for name, value in sandbox.env().items():
            print(f"export {name}={shlex.quote(value)}")
    elif command == "seed":
        sandbox.seed(file)
    else:
        {"up": sandbox.up, "down": sandbox.down, "reset": sandbox.reset}[command]()
    return OK


def _run_in_a_sandbox(words: list[str]) -> int:
    """The exit code of a command that had a sandbox of its own, on free ports, while it ran."""
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        sandbox = Sandbox(Settings.on_free_ports(Path(folder)))
        try:
            sandbox.up()
            return subprocess.run(words, env=os.environ | sandbox.env(), check=False).returncode
        finally:
            sandbox.down()


def _print_status(sandbox: Sandbox) -> int:
    services = sandbox.status()
    for service in services:
        state = f"running  pid {service.pid}" if service.pid else "stopped"
        print(f"{service.name:<9} port {service.port:<6} {state}")
    return OK if all(service.pid for service in services) else NOT_RUNNING


def _parser() -> argparse.ArgumentParser:
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument("--dir", dest="directory", type=Path, help="state (SANDBOX_DIR)")
    for name in ("redshift", "postgres", "dynamodb"):
        variable = f"SANDBOX_{name.upper()}_PORT"
        everywhere.add_argument(f"--{name}-port", type=int, metavar="N", help=f"({variable})")
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="Redshift and DynamoDB on this machine, without an AWS account.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, does in {
        "up": "start what does not run, load the source if it is missing",
        "down": "stop everything; the warehouse keeps its data, DynamoDB forgets its tables",
        "status": "one line a service; exit code 3 if one is stopped",
        "env": "print the environment of dbt, the loader and the AWS tools as export lines",
        "reset": "drop all data, load the source again",
        "seed": "replace the rows of retail.transactions",
    }.items():
        added = commands.add_parser(command, parents=[everywhere], help=does, description=does)
        if command == "seed":
            added.add_argument(
                "--from",
                dest="file",
                type=Path,
                metavar="FILE.parquet",
                help="not the shipped data",
            )
    does = "run a command with a sandbox of its own, which is gone when the command ends"
    run = commands.add_parser("run", help=does, description=does)
    run.add_argument("words", nargs="+", metavar="-- COMMAND", help="the command and its arguments")
    return parser
