"""Arguments in, exit code out.

0  complete
1  incomplete: something was not written; the report says what
2  wrong usage or configuration: nothing was written
"""

import argparse
import json
import sys
import traceback
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from loader.errors import LoaderError, Refused
from loader.settings import Settings
from loader.spark.postponed_imports import postpone

COMPLETE, INCOMPLETE = 0, 1
INTERRUPTED = 130
PLAIN_HTTP_HELP = "let requests to http:// endpoints leave this machine"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the return value is the process's exit code."""
    options = parser().parse_args(arguments)
    postpone()
    try:
        code: int = options.command(options)
    except LoaderError as error:
        if options.debug:
            traceback.print_exc()
        if isinstance(error, Refused):
            _show_problems(error)
        else:
            print(error, file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = INTERRUPTED
    return code


def _show_problems(refused: Refused) -> None:
    count = len(refused.problems)
    what = "1 problem" if count == 1 else f"{count} problems"
    print(f"{what} with {refused.subject}, nothing was written", file=sys.stderr)
    for number, problem in enumerate(refused.problems, 1):
        print(f"  {number}  {problem}", file=sys.stderr)


def _plan(options: argparse.Namespace) -> int:
    from loader import run
    from loader.report.plan_lines import plan_facts, plan_lines

    settings = _settings(options)
    plans = run.plan(settings, options.export)
    for planned in plans:
        folder = str(run.run_folder(settings, planned.export, planned.run))
        if options.json:
            print(json.dumps(plan_facts(planned, folder)))
        else:
            print("\n".join(plan_lines(planned, folder, datetime.now(timezone.utc))))
    most = settings.max_rejects
    rejected = any(planned.keyless_rows + planned.rejected_items > most for planned in plans)
    return INCOMPLETE if rejected else COMPLETE


def _load(options: argparse.Namespace) -> int:
    from loader import run
    from loader.storage.location import Location

    settings = _settings(options)
    if options.changeset:
        if options.export:
            raise Refused("--changeset must stand without --export, got both: drop one of them")
        reports = [run.load_changeset(settings, Location(options.changeset))]
    else:
        reports = run.load(settings, options.export)
    return _told(reports, options.json)


def _account(options: argparse.Namespace) -> int:
    from loader import run
    from loader.storage.location import Location

    return _told([run.account_of(_settings(options), Location(options.folder))], options.json)


def _told(reports: "list[report.Report]", as_json: bool) -> int:  # type: ignore[name-defined] # noqa: F821
    """Show the reports; the exit code that they give."""
    from loader.report import lines

    for one in reports:
        if as_json:
            print(json.dumps(one.to_dict()))
        else:
            print("\n".join(lines.report_lines(one)))
    return COMPLETE if all(one.complete for one in reports) else INCOMPLETE


def _show(options: argparse.Namespace) -> int:
    from loader.dbt.exposures import select_exports
    from loader.dbt.manifest import read_manifest
    from loader.dynamodb import show

    settings = _settings(options)
    (export,) = select_exports(read_manifest(settings.project_dir), [options.name])
    lines, missing = show.item_lines(export.table, options.key, settings.allow_plain_http)
    print("\n".join(lines))
    return INCOMPLETE if missing else COMPLETE


def _settings(options: argparse.Namespace) -> Settings:
    names = Settings.__dataclass_fields__
    given = {name: value for name, value in vars(options).items() if name in names}
    given["spark"] = dict(given.get("spark") or ())
    return Settings(**given)


def _property(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.startswith("spark."):
        raise argparse.ArgumentTypeError(f"must be spark.name=value, got {name}")
    return name, value


def parser() -> argparse.ArgumentParser:
    """The command line; every option has help and a default that is shown."""
    defaults = Settings()
    top = argparse.ArgumentParser(
        prog="loader",
        description="Publish dbt models as DynamoDB tables.",
        epilog="exit codes: 0 complete, 1 incomplete, 2 wrong usage or configuration",
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    project = argparse.ArgumentParser(add_help=False)
    add = project.add_argument
    add(
        "--project-dir",
        type=Path,
        default=defaults.project_dir,
        metavar="DIR",
        help="dbt project with the exports (default: %(default)s)",
    )
    add(
        "--profiles-dir",
        type=Path,
        metavar="DIR",
        help="folder of profiles.yml (default: as dbt, the project first)",
    )
    add("--target", metavar="NAME", help="dbt target to read from (default: the profile's)")
    add("--debug", action="store_true", help="show the traceback of an error")
    add("--allow-plain-http", action="store_true", help=PLAIN_HTTP_HELP)

    telling = argparse.ArgumentParser(add_help=False)
    add = telling.add_argument
    add("--json", action="store_true", help="print the same facts as JSON, one line an export")
    add(
        "--max-rejects",
        type=int,
        default=defaults.max_rejects,
        metavar="N",
        help="complete with at most N rejected rows and items (default: %(default)s)",
    )

    running = argparse.ArgumentParser(add_help=False)
    add = running.add_argument
    add(
        "--export",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="exports to publish (default: all of the project)",
    )
    add(
        "--storage",
        default=defaults.storage,
        metavar="DIR",
        help="folder or s3:// address of the runs' files (default: %(default)s)",
    )
    add(
        "--queries",
        type=int,
        default=defaults.queries,
        metavar="N",
        help="queries the warehouse gets at once, at most (default: one a CPU, 8 at most)",
    )
    add("--create-table", action="store_true", help="create a missing table, on demand")
    add(
        "--skip-dbt-gate",
        action="store_true",
        help="go on although dbt's tests did not pass; plan and report say so",
    )
    add(
        "--prices",
        type=Path,
        metavar="FILE",
        help="prices of write units by region, in the form of the loader's prices.json",
    )
    add(
        "--spark-conf",
        dest="spark",
        type=_property,
        action="append",
        metavar="NAME=VALUE",
        help="Spark property, over the loader's own",
    )

    both = [project, running, telling]
    plan = commands.add_parser("plan", parents=both, help="read, and show what would be written")
    plan.set_defaults(command=_plan)

    load = commands.add_parser("load", parents=both, help="plan, then write")
    add = load.add_argument
    add("--changeset", metavar="DIR", help="write a kept changeset; the warehouse is not asked")
    add("--keep", action="store_true", help="keep the changeset of a complete run")
    add(
        "--requests",
        type=int,
        default=defaults.requests,
        metavar="N",
        help="BatchWriteItem requests in flight per task (default: %(default)s)",
    )
    add(
        "--retry-seconds",
        type=float,
        default=defaults.retry_seconds,
        metavar="S",
        help="give up when the table acknowledges nothing so long (default: %(default)g)",
    )
    load.set_defaults(command=_load)

    told = commands.add_parser(
        "account", parents=[telling], help="say what a killed load wrote, and what is in doubt"
    )
    told.add_argument("folder", metavar="DIR", help="folder of the run")
    told.add_argument("--debug", action="store_true", help="show the traceback of an error")
    told.add_argument("--allow-plain-http", action="store_true", help=PLAIN_HTTP_HELP)
    told.set_defaults(command=_account)

    show = commands.add_parser("show", parents=[project], help="read items back")
    show.add_argument("name", metavar="EXPORT", help="export whose table is read")
    show.add_argument("key", nargs="+", metavar="KEY", help="partition key, or key/sort key")
    show.set_defaults(command=_show)
    return top
