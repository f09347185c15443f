"""Metrics in CloudWatch's embedded metric format: one line of JSON per export.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Iterator

from loader.observe.figures import UNITS
from loader.observe.run_end import ExportEnd, RunEnd

NAMESPACE = "redshift-to-dynamodb"


def lines(end: RunEnd, undelivered: int) -> Iterator[str]:
    """A line per export; a run that was refused before its exports were known has one without."""
    for export in end.exports:
        metrics = {**export.metrics, "exit_code": end.exit_code, "undelivered": undelivered}
        yield _line(end, export, metrics)


def _line(end: RunEnd, export: ExportEnd, metrics: dict[str, float]) -> str:
    dimensions = {
        name: value for name, value in (("export", export.export), ("table", export.table)) if value
    }
    # An alarm names all dimensions of a set: one of the export alone always has data.
    sets = [["export"], ["export", "table"]] if "table" in dimensions else [[*dimensions]]
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": sets,
        "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in metrics],
    }
    milliseconds = int((end.began + end.seconds) * 1000)
    document = {
        "_aws": {"Timestamp": milliseconds, "CloudWatchMetrics": [directive]},
        **dimensions,
        "command": end.command,
        "run": export.run,
        "outcome": export.outcome,
        "missing": export.reasons,
        "next_command": export.next_command,
        **metrics,
    }
    return json.dumps(document)
