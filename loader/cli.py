"""The command line: arguments in, exit code out (docs/reference/exit-codes.md)."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from loader import interruption
from loader.errors import INCOMPLETE, LoaderError, reason
from loader.interruption import Interrupted, received
from loader.options import (
    Version,
    apply_options,
    common_options,
    guard_options,
    option_group,
    plan_options,
    project_options,
    result_options,
    run_options,
)
from loader.output import failure, safe_output
from loader.verbs import given, screen, show, write


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code of the process."""
    with safe_output(), received() as signals:
        try:
            code = _run(parser().parse_args(arguments), arguments)
        except KeyboardInterrupt as error:
            interrupted = error if isinstance(error, Interrupted) else Interrupted()
        else:
            if signals.raised is None:
                return code
            interrupted = Interrupted(signals.raised, "interrupted: the run had ended")
        screen.print_lines([interrupted.message], sys.stderr)
        return interrupted.exit_code


def _run(options: argparse.Namespace, arguments: Sequence[str] | None) -> int:
    try:
        options.given = given_options(arguments)
        code: int = options.command(options)
    except LoaderError as error:
        interruption.check()
        screen.show_error(error, options.debug)
        code = error.exit_code
    if unprinted := failure():
        code = code or INCOMPLETE
        cause = reason(unprinted.strerror)
        print(
            f"cannot print the result: {cause}. A plan or load also has it in its storage",
            file=sys.stderr,
        )
    return code


def given_options(arguments: Sequence[str] | None) -> dict[str, Any]:
    """The settings that are on the command line, also those with the value of the default."""
    top = parser()
    for command in _commands(top).values():
        for action in command._actions:
            action.default = argparse.SUPPRESS
    return given.given_settings(top.parse_args(arguments))


def _commands(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def parser() -> argparse.ArgumentParser:
    """The command line; docs/reference/options.md is generated from it."""
    top = argparse.ArgumentParser(
        prog="loader",
        description="Publish the rows of dbt models as the items of DynamoDB tables.",
        epilog="exit codes: 0 complete, 1 incomplete, 2 refused, 130 interrupted (143 by SIGTERM)",
    )
    top.add_argument(
        "--version", action=Version, nargs=0, help="print the version of the loader and exit"
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    common, project, results, running, planning, guards, applying = map(
        option_group,
        (
            common_options,
            project_options,
            result_options,
            run_options,
            plan_options,
            guard_options,
            apply_options,
        ),
    )

    plan = commands.add_parser(
        "plan",
        parents=[project, planning, guards, running, results, common],
        help="read the model and show what a load would write; writes no item",
    )
    plan.set_defaults(command=write.plan)

    load = commands.add_parser(
        "load",
        parents=[project, planning, guards, running, applying, results, common],
        help="plan, then write the items",
    )
    load.set_defaults(command=write.load)

    apply = commands.add_parser(
        "apply",
        parents=[running, applying, results, common],
        help="write the changes of a plan that was kept, without the warehouse",
    )
    apply.add_argument("folder", metavar="DIR", help="folder of the run")
    apply.set_defaults(command=write.apply)

    resume = commands.add_parser(
        "resume",
        parents=[running, applying, results, common],
        help="write what the last unfinished run of an export has not written",
    )
    resume.add_argument("name", metavar="EXPORT", help="export whose run goes on")
    resume.set_defaults(command=write.resume)

    show_items = commands.add_parser(
        "show", parents=[project, common], help="print items of an export's table"
    )
    show_items.add_argument("name", metavar="EXPORT", help="export whose table is read")
    show_items.add_argument(
        "key",
        nargs="+",
        metavar="KEY",
        help="partition key, or partition key/sort key; binary in base64",
    )
    show_items.set_defaults(command=show.show)
    return top
