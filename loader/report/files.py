"""The report as files in the run's folder: report.json and report.html."""

import json

from loader.report.page import page
from loader.report.totals import Report
from loader.storage.location import Location

REPORT_FILE, PAGE_FILE = "report.json", "report.html"


def save(report: Report, folder: Location) -> None:
    """Write the report as JSON and as an HTML page."""
    document = report.to_dict()
    folder.write(REPORT_FILE, json.dumps(document, indent=1).encode())
    # UTF-8 cannot encode a lone surrogate: show its escape.
    folder.write(PAGE_FILE, page(document).encode(errors="backslashreplace"))
