"""status: what the runs of an export have left in the storage."""

import argparse
import json
from datetime import datetime, timezone

from loader.errors import COMPLETE, INCOMPLETE
from loader.verbs.given import settings_of
from loader.verbs.screen import print_lines


def status(options: argparse.Namespace) -> int:
    """Print the status of one export, or of all; `options.name` may be None."""
    from loader.report.status import statuses
    from loader.report.status_lines import status_facts, status_lines

    exports = statuses(settings_of(options), options.name, options.list_doubts)
    now = datetime.now(timezone.utc)
    for export in exports:
        if options.json:
            print(json.dumps(status_facts(export)))
        else:
            print_lines(status_lines(export, now))
    return COMPLETE if all(export.is_good for export in exports) else INCOMPLETE
