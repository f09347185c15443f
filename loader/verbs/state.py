"""status, state and pace: what the storage knows of an export, of its table and of its lock."""

import argparse
import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from loader.errors import COMPLETE, INCOMPLETE, Refused, subject_of
from loader.settings import Settings
from loader.verbs.given import settings_of
from loader.verbs.screen import print_lines

if TYPE_CHECKING:
    from loader.storage.location import Location


def status(options: argparse.Namespace) -> int:
    from loader.report.status import statuses
    from loader.report.status_lines import status_facts, status_lines

    found = statuses(settings_of(options), options.name, options.list)
    for place, one in enumerate(found):
        if options.json:
            print(json.dumps(status_facts(one)))
        else:
            gap = [""] if place else []
            print_lines([*gap, *status_lines(one, datetime.now(timezone.utc))])
    return COMPLETE if all(one.is_good for one in found) else INCOMPLETE


def show(options: argparse.Namespace) -> int:
    from loader.report.state_lines import state_facts, state_lines
    from loader.report.status import read_status
    from loader.storage.state_file import read_state

    settings, export = settings_of(options), options.name
    folder = _folder(settings, export)
    state, _ = read_state(folder)
    if state is None or not state.serial:  # 0: a run has begun, and none was committed
        raise Refused(
            f"export {export} must have a state in {folder}, got none: give the --storage of its "
            f"loads, or take what the table has with `loader state adopt {export}`",
            subject_of([export]),
        )
    status = read_status(settings, folder)
    state = status.known or state  # a load may have replaced it
    if options.json:
        print(json.dumps(state_facts(status, state)))
    else:
        print_lines(state_lines(status, state, datetime.now(timezone.utc)))
    return COMPLETE


def unlock(options: argparse.Namespace) -> int:
    from loader.storage import lock_file

    folder = _folder(settings_of(options), options.name)
    removed = lock_file.unlock(folder, options.id)
    print_lines([f"unlocked: export {options.name} was locked by {removed}"])
    return COMPLETE


def pace(options: argparse.Namespace) -> int:
    from loader.apply.write_limits import change

    before = change(_folder(settings_of(options), options.name), options.capacity)
    print_lines(
        [
            f"export {options.name} may use {options.capacity} from now on, instead of {before}: "
            "its run follows within seconds"
        ]
    )
    return COMPLETE


def _folder(settings: Settings, export: str) -> "Location":
    """The folder of an export; raises `Refused` if it cannot be read in private."""
    from loader.storage.location import Location

    folder = Location(settings.storage) / export
    if problem := folder.plain_text_problem(settings.allow_plain_http):
        raise Refused(problem)
    return folder
