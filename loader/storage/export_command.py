"""Commands about an export for the messages of its files."""

import shlex

from loader.storage.location import DEFAULT, Location


def export_command(folder: Location, verb: str, *arguments: str) -> str:
    """The command about the export of this folder: `loader state adopt e --storage s3://b`."""
    storage = folder.parent.uri
    option = [] if storage == DEFAULT else ["--storage", storage]
    return shlex.join(["loader", *verb.split(), folder.name, *arguments, *option])
