"""The report as files of a run's folder: report.json and report.html."""

import json

from loader.report.page import page
from loader.report.totals import Report
from loader.storage.location import Location

FILE, PAGE = "report.json", "report.html"


def save(report: Report, folder: Location) -> None:
    """Write the report into the run's folder, for machines and for people."""
    document = report.to_dict()
    folder.write(FILE, json.dumps(document, indent=1).encode())
    # A lone surrogate cannot be UTF-8; it is shown by its number.
    folder.write(PAGE, page(document).encode(errors="backslashreplace"))
