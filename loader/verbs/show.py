"""show: items of a table, as a person reads them."""

import argparse

from loader.errors import COMPLETE, INCOMPLETE
from loader.verbs.given import settings_of
from loader.verbs.screen import print_lines


def show(options: argparse.Namespace) -> int:
    from loader.dbt.exposures import select_exports
    from loader.dbt.manifest import read_manifest
    from loader.dynamodb.show import item_lines

    settings = settings_of(options)
    (export,) = select_exports(read_manifest(settings), [options.name], for_writing=False)
    lines, missing = item_lines(export.table, options.key, settings.allow_plain_http)
    print_lines(lines)
    return INCOMPLETE if missing else COMPLETE
