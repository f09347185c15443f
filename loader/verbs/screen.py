"""What a command prints."""

import argparse
import json
import sys
import traceback
from collections.abc import Iterable
from importlib.util import find_spec
from typing import TYPE_CHECKING, TextIO

from loader.errors import COMPLETE, INCOMPLETE, LoaderError, Refused
from loader.next_command import with_project
from loader.printable import printable
from loader.settings import Settings

if TYPE_CHECKING:
    from loader.report.totals import Report


def print_lines(lines: Iterable[str], file: TextIO | None = None) -> None:
    """Print lines in which values of users cannot control the terminal."""
    print("\n".join(map(printable, lines)), file=file)


def show_error(error: LoaderError, options: argparse.Namespace) -> None:
    """Print an error, with the traceback if `--debug` is given."""
    lines = []
    if options.debug:
        lines = [line for part in traceback.format_exception(error) for line in part.splitlines()]
    if isinstance(error, Refused):
        count = len(error.problems)
        problems = "1 problem" if count == 1 else f"{count} problems"
        lines.append(f"{problems} with {error.subject}, nothing was written")
        lines += [f"  {number}  {problem}" for number, problem in enumerate(error.problems, 1)]
    else:
        lines.append(str(error))
    print_lines([with_project(line, options.given) for line in lines], sys.stderr)


def show_report(report: "Report", as_json: bool) -> int:
    from loader.report.lines import report_lines

    if as_json:
        print(json.dumps(report.to_dict()))
    else:
        print_lines(report_lines(report))
    return COMPLETE if report.complete else INCOMPLETE


def save_imports(settings: Settings) -> None:
    """Postpone the import of pandas, before pyarrow looks for it, where Spark will start here."""
    if find_spec("pyspark") is None:
        raise Refused(
            "pyspark must be installed, got none: install the wheel of `make package` with the "
            "extra spark, or start the loader with spark-submit"
        )
    from loader.spark import postponed_pandas, session

    if session.starts_here(settings.spark):
        postponed_pandas.postpone_pandas()
