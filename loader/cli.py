"""The command line: arguments in, exit code out (docs/reference/exit-codes.md)."""

import argparse
import json
import sys
import traceback
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TextIO

from loader import interruption
from loader.errors import LoaderError, Refused, reason
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
)
from loader.output import failure, safe_output
from loader.printable import printable
from loader.settings import Settings

if TYPE_CHECKING:
    from loader.plan.result import Plan
    from loader.report.totals import Report

COMPLETE, INCOMPLETE, INTERRUPTED = 0, 1, 130


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
        _print([interrupted.message], sys.stderr)
        return interrupted.exit_code


def _run(options: argparse.Namespace, arguments: Sequence[str] | None) -> int:
    try:
        options.given = given_options(arguments)
        code: int = options.command(options)
    except LoaderError as error:
        interruption.check()
        _show_error(error, options.debug)
        code = error.exit_code
    if unprinted := failure():
        code = code or INCOMPLETE
        cause = reason(unprinted.strerror)
        print(
            f"cannot print the result: {cause}. A plan or load also has it in its storage",
            file=sys.stderr,
        )
    return code


def _show_error(error: LoaderError, debug: bool) -> None:
    lines = []
    if debug:
        lines = [line for part in traceback.format_exception(error) for line in part.splitlines()]
    if isinstance(error, Refused):
        count = len(error.problems)
        problems = "1 problem" if count == 1 else f"{count} problems"
        lines.append(f"{problems} with {error.subject}, nothing was written")
        lines += [f"  {number}  {problem}" for number, problem in enumerate(error.problems, 1)]
    else:
        lines.append(str(error))
    _print(lines, sys.stderr)


def _print(lines: Iterable[str], file: TextIO | None = None) -> None:
    """Print lines in which values of users cannot control the terminal."""
    print("\n".join(map(printable, lines)), file=file)


def _plan(options: argparse.Namespace) -> int:
    settings = _settings(options)
    _save_imports(settings)
    from loader import run
    from loader.report.plan_lines import plan_facts, plan_lines

    codes = [COMPLETE]

    def ended(plan: "Plan | LoaderError") -> None:
        if isinstance(plan, LoaderError):
            _show_error(plan, settings.debug)
            codes.append(plan.exit_code)
            return
        folder = str(run.run_folder(settings, plan.export, plan.run))
        if options.json:
            print(json.dumps(plan_facts(plan, folder)))
        else:
            _print(plan_lines(plan, folder, datetime.now(timezone.utc)))
        rejects = plan.keyless_rows + plan.rejected_items
        codes.append(INCOMPLETE if rejects > settings.max_rejects else COMPLETE)

    run.plan(settings, options.export, ended)
    return max(codes)


def _load(options: argparse.Namespace) -> int:
    settings = _settings(options)
    _save_imports(settings)
    from loader import run
    from loader.storage.location import Location

    codes = [COMPLETE]

    def ended(report: "Report | LoaderError") -> None:
        if isinstance(report, LoaderError):
            _show_error(report, settings.debug)
            codes.append(report.exit_code)
        else:
            codes.append(_show_report(report, options.json))

    if options.changeset:
        if options.export:
            raise Refused("--changeset must be given without --export, got both: drop one of them")
        folder = Location(options.changeset)
        run.load_changeset(settings, folder, options.given, ended)
    else:
        run.load(settings, options.export, ended)
    return max(codes)


def _recover(options: argparse.Namespace) -> int:
    from loader import run
    from loader.storage.location import Location

    report = run.recover(_settings(options), Location(options.folder), options.given)
    return _show_report(report, options.json)


def _show_report(report: "Report", as_json: bool) -> int:
    from loader.report.lines import report_lines

    if as_json:
        print(json.dumps(report.to_dict()))
    else:
        _print(report_lines(report))
    return COMPLETE if report.complete else INCOMPLETE


def _save_imports(settings: Settings) -> None:
    """Postpone the import of pandas, before pyarrow looks for it, where Spark will start here."""
    from loader.spark import local, session

    if session.starts_here(settings.spark):
        local.postpone_pandas()


def _show(options: argparse.Namespace) -> int:
    from loader.dbt.exposures import select_exports
    from loader.dbt.manifest import read_manifest
    from loader.dynamodb import show

    settings = _settings(options)
    (export,) = select_exports(read_manifest(settings), [options.name], for_writing=False)
    lines, missing = show.item_lines(export.table, options.key, settings.allow_plain_http)
    _print(lines)
    return INCOMPLETE if missing else COMPLETE


def _settings(options: argparse.Namespace) -> Settings:
    """The options that are given, before dbt's variables, before the defaults."""
    from loader.dbt.environment import dbt_options

    of_project = dbt_options() if "project_dir" in vars(options) else {}
    return Settings(**{**of_project, **_given_settings(options)})


def _given_settings(options: argparse.Namespace) -> dict[str, Any]:
    from loader.dbt.environment import read_variables

    names = Settings.__dataclass_fields__
    given = {n: value for n, value in vars(options).items() if n in names and value is not None}
    if "spark" in given:
        given["spark"] = dict(given["spark"])
    if "vars" in given:
        given["vars"] = read_variables(given["vars"])
    return given


def given_options(arguments: Sequence[str] | None) -> dict[str, Any]:
    """The settings that are on the command line, also those with the value of the default."""
    top = parser()
    for command in _commands(top).values():
        for action in command._actions:
            action.default = argparse.SUPPRESS
    return _given_settings(top.parse_args(arguments))


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
    common, project, results, planning, guards = map(
        option_group,
        (common_options, project_options, result_options, plan_options, guard_options),
    )

    plan = commands.add_parser(
        "plan",
        parents=[project, planning, guards, results, common],
        help="read the model and show what a load would write; writes no item",
    )
    plan.set_defaults(command=_plan)

    load = commands.add_parser(
        "load",
        parents=[project, planning, guards, results, common],
        help="plan, then write the items",
    )
    apply_options(load)
    load.set_defaults(command=_load)

    recover = commands.add_parser(
        "recover",
        parents=[results, common],
        help="report what a killed load wrote, and which keys are in doubt",
    )
    recover.add_argument("folder", metavar="DIR", help="folder of the run")
    recover.set_defaults(command=_recover)

    show = commands.add_parser(
        "show", parents=[project, common], help="print items of an export's table"
    )
    show.add_argument("name", metavar="EXPORT", help="export whose table is read")
    show.add_argument(
        "key",
        nargs="+",
        metavar="KEY",
        help="partition key, or partition key/sort key; binary in base64",
    )
    show.set_defaults(command=_show)
    return top
