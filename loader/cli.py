"""The command line: arguments in, exit code out (docs/reference/exit-codes.md)."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from loader import interruption
from loader.errors import INCOMPLETE, LoaderError, reason
from loader.interruption import ENDED, Interrupted, received
from loader.observe.options import observe_options
from loader.option_types import capacity
from loader.options import (
    Version,
    apply_options,
    common_options,
    export_options,
    guard_options,
    json_options,
    lock_options,
    option_group,
    plan_options,
    reject_options,
    run_options,
    scan_options,
    storage_options,
    table_options,
    verify_options,
    warehouse_options,
)
from loader.output import failure, safe_output
from loader.project_options import bundle_options, gate_options, making_options, project_options
from loader.verbs import bundle, given, screen, show, state, verify_table, write


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code of the process."""
    with _separate_errors(), safe_output(), received() as signals:
        try:
            code = _run(parser().parse_args(arguments), arguments)
        except KeyboardInterrupt as error:
            interrupted = error if isinstance(error, Interrupted) else Interrupted()
        else:
            if signals.raised is None:
                return code
            interrupted = Interrupted(signals.raised, ENDED)
        screen.print_lines([interrupted.message], sys.stderr)
        return interrupted.exit_code


@contextmanager
def _separate_errors() -> Iterator[None]:
    """Keep standard error apart from standard output under spark-submit, which merges them."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        yield
        return
    from loader.spark.submitted_errors import separate_errors

    with separate_errors():
        yield


def _run(options: argparse.Namespace, arguments: Sequence[str] | None) -> int:
    options.given = {}
    try:
        options.given = given_options(arguments)
        code: int = options.command(options)
    except LoaderError as error:
        interruption.check()
        screen.show_error(error, options)
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
    for command in commands(top).values():
        for action in command._actions:
            action.default = argparse.SUPPRESS
    return given.given_settings(top.parse_args(arguments))


def commands(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parser of each command by its name, such as `plan` and `state show`."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                inner = {f"{name} {last}": parser for last, parser in commands(command).items()}
                found |= inner or {name: command}
    return found


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
    names = top.add_subparsers(required=True, metavar="COMMAND")
    _add_writing(names)
    _add(
        names,
        "bundle",
        bundle.bundle,
        _groups(project_options, export_options, making_options, common_options),
        "Write what a load needs of the dbt project to one file, for machines without it.",
    )
    _add_reading(names)
    _add_state(names.add_parser("state", help="Show or repair what is known of a table."))
    return top


def _add_writing(names: Any) -> None:
    """The commands of a run: its plan, and what writes its changes."""
    results = _groups(reject_options, json_options, common_options)
    planning = _groups(
        *(bundle_options, storage_options, export_options, gate_options, plan_options),
        *(guard_options, run_options),
    )
    _add(
        names,
        "plan",
        write.plan,
        [*planning, *results],
        "Read the model and show what a load would write; writes no item.",
    )
    _add(
        names,
        "load",
        write.load,
        [*planning, *_groups(apply_options, observe_options), *results],
        "Plan, then write the items.",
    )
    apply = _add(
        names,
        "apply",
        write.apply,
        [
            *_groups(storage_options, guard_options, run_options, apply_options, observe_options),
            *results,
        ],
        "Write the changes of a plan that was kept, without the warehouse.",
    )
    apply.add_argument("folder", metavar="DIR", help="folder of the run")
    resume = _add(
        names,
        "resume",
        write.resume,
        [*_groups(storage_options, run_options, apply_options, observe_options), *results],
        "Write what the last unfinished run of an export has not written.",
    )
    resume.add_argument("name", metavar="EXPORT", help="export whose run goes on")
    pace = _add(
        names,
        "pace",
        state.pace,
        _groups(storage_options, common_options),
        "Change how fast the running load of an export writes.",
    )
    pace.add_argument("name", metavar="EXPORT", help="export that is being written")
    pace.add_argument(
        "capacity",
        metavar="500",
        type=capacity,
        help="write units per second: a number, a share as 50%% or max",
    )


def _add_reading(names: Any) -> None:
    """The commands that show what is in a table or in the storage."""
    show_keys = _add(
        names,
        "show",
        show.show,
        _groups(bundle_options, table_options, common_options),
        "Print items of an export's table, or the planned changes of a run.",
    )
    show_keys.add_argument(
        "name", metavar="EXPORT/DIR", help="export whose table is read, or folder of a run"
    )
    show_keys.add_argument(
        "key",
        nargs="+",
        metavar="KEY",
        help="partition key, or partition key/sort key; binary in base64",
    )
    verify = _add(
        names,
        "verify",
        verify_table.verify,
        _groups(
            bundle_options,
            storage_options,
            verify_options,
            warehouse_options,
            scan_options,
            json_options,
            common_options,
        ),
        "Compare the table of an export with its model or its state; writes no item.",
    )
    verify.add_argument("name", metavar="EXPORT", help="export whose table is read")
    status = _add(
        names,
        "status",
        state.status,
        _groups(storage_options, json_options, common_options),
        "Show the last runs, the state, the lock and what is in doubt of each export.",
    )
    status.add_argument("name", nargs="?", metavar="EXPORT", help="one export (default: all)")
    status.add_argument(
        "--list", action="store_true", help="write the keys in doubt to in_doubt.jsonl of their run"
    )


def _add_state(of_state: argparse.ArgumentParser) -> None:
    """The commands of `loader state`."""
    names = of_state.add_subparsers(required=True, metavar="COMMAND")
    show_state = _add(
        names,
        "show",
        state.show,
        _groups(storage_options, json_options, common_options),
        "Show what is known of the table of an export.",
    )
    show_state.add_argument("name", metavar="EXPORT", help="export whose state is shown")
    adopt = _add(
        names,
        "adopt",
        verify_table.adopt,
        _groups(
            bundle_options,
            storage_options,
            scan_options,
            lock_options,
            json_options,
            common_options,
        ),
        "Scan the table of an export, and take what it has as the state.",
    )
    adopt.add_argument("name", metavar="EXPORT", help="export whose table is read")
    unlock = _add(
        names,
        "unlock",
        state.unlock,
        _groups(storage_options, common_options),
        "Remove the lock of a dead run, so that the next one need not wait.",
    )
    unlock.add_argument("name", metavar="EXPORT", help="export that is locked")
    unlock.add_argument("id", metavar="ID", help="id of the lock, as the message shows it")


def _groups(
    *add_options: Callable[[argparse.ArgumentParser], None],
) -> list[argparse.ArgumentParser]:
    return [option_group(add) for add in add_options]


def _add(
    names: Any,
    name: str,
    run: Callable[[argparse.Namespace], int],
    parents: list[argparse.ArgumentParser],
    text: str,
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = names.add_parser(
        name, parents=parents, help=text, description=text
    )
    command.set_defaults(command=run)
    return command
