"""The run of a command, whose end is sent to where its options ask for, whatever it is."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loader.errors import LoaderError, Refused, reason
from loader.interruption import Interrupted, check, deferred
from loader.verbs.given import settings_of
from loader.verbs.screen import save_imports

if TYPE_CHECKING:
    from loader.observe.channels import Channels
    from loader.report.journal import Journal
    from loader.settings import Settings


@contextmanager
def observed(
    options: argparse.Namespace, command: str, names: Sequence[str]
) -> "Iterator[Journal]":
    """A journal with the settings of the command; `names` are the exports that are asked for."""
    from loader.observe.channels import channels_of

    channels = channels_of(options)
    try:
        settings = _settings(options, channels.problems())
        save_imports(settings)
    except LoaderError as error:
        _send(None, command, names, error, channels.usable())
        raise
    from loader.report.journal import Journal

    journal, ended_by = Journal(settings), None
    try:
        try:
            yield journal
        except LoaderError:
            check()  # a signal may look like an error of Spark
            raise
    except BaseException as error:
        ended_by = error
        raise
    finally:
        _send(journal, command, names, ended_by, channels_of(journal.settings).usable())


def _settings(options: argparse.Namespace, problems: Sequence[str]) -> "Settings":
    """The settings; raises `Refused` with the given problems and their own."""
    try:
        settings = settings_of(options)
    except Refused as refused:
        if not problems:
            raise
        raise Refused([*refused.problems, *problems], refused.subject) from refused
    if problems:
        raise Refused(problems, "the settings")
    return settings


def _send(
    journal: "Journal | None",
    command: str,
    names: Sequence[str],
    error: BaseException | None,
    channels: "Channels",
) -> None:
    """Send the end of the run, which it does not change; a signal waits until it is sent.

    There is no journal if the settings were refused.
    """
    if not channels.any:
        return
    try:
        from loader.observe.delivery import deliver, note
        from loader.observe.run_end import run_end
        from loader.report.totals import Report

        with deferred():
            problems = deliver(run_end(journal, command, names, error), channels)
            for result in journal.results.values() if journal and problems else ():
                if isinstance(result, Report):
                    note(result, problems)
    except Interrupted as interrupted:
        interrupted.message = "interrupted: the run had ended, and what it sends may be lost"
        raise
    except Exception as failure:  # noqa: BLE001  the outcome of a run is that of its data
        print(
            f"cannot describe the end of the run: {type(failure).__name__} ({reason(failure)}). "
            "The run itself is not affected: report this as a bug",
            file=sys.stderr,
        )
