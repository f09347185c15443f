"""python -m sandbox up | down | status | env | reset | seed | sql | capacity | run"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sandbox.capacity.process import DELAY_MS, running
from sandbox.errors import SandboxError, UsageError
from sandbox.sandbox import Sandbox
from sandbox.settings import Settings, load_settings

OK, FAILED, USAGE, NOT_RUNNING = 0, 1, 2, 3
CAPACITY_PORT = 18001


def main(arguments: Sequence[str] | None = None) -> int:
    options = vars(_parser().parse_args(arguments))
    command, file = options.pop("command"), options.pop("file", None)
    words, statement = options.pop("words", None), options.pop("statement", "")
    port, delay_ms = options.pop("port", None), options.pop("delay_ms", 0.0)
    try:
        if words:
            return _run_in_a_sandbox(words)
        sandbox = Sandbox(load_settings(os.environ, options))
        if statement:
            return _run_statement(sandbox, statement)
        if command == "capacity":
            return _run_capacity_proxy(sandbox.settings, port, delay_ms)
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


def _run_statement(sandbox: Sandbox, statement: str) -> int:
    """Run one SQL statement in the warehouse; print its rows, or how many it has changed."""
    try:
        with closing(sandbox.connect()) as session, session.cursor() as cursor:
            session.autocommit = True
            cursor.execute(statement)
            for row in cursor.fetchall() if cursor.description else ():
                print(*row, sep="\t")
            print(f"{cursor.rowcount:,} rows", file=sys.stderr)
    except Exception as error:  # noqa: BLE001  whatever the driver raises is the answer
        print(f"sandbox: cannot run the statement: {error}", file=sys.stderr)
        return FAILED
    return OK


def _run_capacity_proxy(settings: Settings, port: int, delay_ms: float) -> int:
    """Enforce DynamoDB's capacity on a port of its own, until Ctrl-C."""
    try:
        with running(settings.dynamodb_port, port=port, delay_ms=delay_ms) as proxy:
            print(f"export AWS_ENDPOINT_URL_DYNAMODB={proxy.url}", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        return OK
    return OK


def _run_in_a_sandbox(words: list[str]) -> int:
    """Run a command with a temporary sandbox on free ports, and return its exit code."""
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
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--dir", dest="directory", type=Path, help="folder of the sandbox (SANDBOX_DIR)"
    )
    for name in ("redshift", "postgres", "dynamodb"):
        variable = f"SANDBOX_{name.upper()}_PORT"
        shared.add_argument(f"--{name}-port", type=int, metavar="N", help=f"({variable})")
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="Redshift and DynamoDB on this machine, without an AWS account.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command, summary in {
        "up": "start the stopped services and load the source data if it is missing",
        "down": "stop all services; the warehouse keeps its data, DynamoDB loses its tables",
        "status": "print one line per service; exit code 3 if a service is stopped",
        "env": "print the environment for dbt, the loader and the AWS tools as export commands",
        "reset": "drop all data and load the source data again",
        "seed": "replace the rows of retail.transactions",
        "sql": "run one SQL statement in the warehouse",
        "capacity": "enforce DynamoDB's capacity on a second port, until Ctrl-C",
    }.items():
        subparser = commands.add_parser(
            command, parents=[shared], help=summary, description=summary
        )
        if command == "seed":
            subparser.add_argument(
                "--from",
                dest="file",
                type=Path,
                metavar="FILE.parquet",
                help="load this file instead of the shipped data",
            )
        if command == "sql":
            subparser.add_argument("statement", help="the statement")
        if command == "capacity":
            subparser.add_argument("--port", type=int, default=CAPACITY_PORT, metavar="N")
            subparser.add_argument("--delay-ms", type=float, default=DELAY_MS, metavar="N")
    summary = "run a command with a temporary sandbox, which is removed when the command ends"
    run = commands.add_parser("run", help=summary, description=summary)
    run.add_argument("words", nargs="+", metavar="-- COMMAND", help="the command and its arguments")
    return parser
