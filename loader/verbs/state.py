"""state: what is known of the table of an export, and its lock."""

import argparse
from typing import TYPE_CHECKING

from loader.errors import COMPLETE, Refused
from loader.settings import Settings
from loader.verbs.given import settings_of
from loader.verbs.screen import print_lines

if TYPE_CHECKING:
    from loader.storage.location import Location


def unlock(options: argparse.Namespace) -> int:
    from loader.storage import lock_file

    folder = _folder(settings_of(options), options.name)
    removed = lock_file.unlock(folder, options.id)
    print_lines([f"unlocked: export {options.name} was locked by {removed}"])
    return COMPLETE


def _folder(settings: Settings, export: str) -> "Location":
    """The folder of an export; raises `Refused` if it cannot be read in private."""
    from loader.storage.location import Location

    folder = Location(settings.storage) / export
    if problem := folder.plain_text_problem(settings.allow_plain_http):
        raise Refused(problem)
    return folder
