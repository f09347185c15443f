"""The report as one HTML page: computes the values that templates/report.html shows."""

from collections.abc import Mapping
from typing import Any

from loader.report import charts, formats
from loader.report.charts import Bar, Columns
from loader.report.html import render
from loader.report.unsent import by_cause

Document = Mapping[str, Any]
BILLING = {"PAY_PER_REQUEST": "on demand", "PROVISIONED": "provisioned"}
RATES = {"items": "changes/s", "write_units": "WCU/s", "throttled": "throttled requests/s"}
SKEW = {"rows": "rows", "items": "items", "bytes": "bytes of items"}
PHASES = ("start", "check", "plan", "apply")


def page(report: Document) -> str:
    """The page of the document report.json."""
    partitions = [entry for entry in report["partitions"] if entry["partition"] is not None]
    settings = dict(report["settings"])
    spark = settings.pop("spark", {})
    seconds = {phase: report[f"{phase}_seconds"] for phase in PHASES}
    return render(
        "report.html",
        report=report,
        billing=BILLING.get(report["billing_mode"]),
        unsent=by_cause(report["partitions_not_sent"]),
        phases=charts.rows([Bar(n, s, formats.seconds(s)) for n, s in seconds.items()]),
        over_time=over_time(report),
        partitions=len(partitions),
        skew=skew(partitions),
        settings=[*settings.items(), *spark.items()],
        RATES=RATES,
    )


def over_time(report: Document) -> list[Columns]:
    """Charts of the answers of DynamoDB per second; none if nothing was sent."""
    points, width = report["over_time"]["points"], report["over_time"]["seconds_per_point"]
    if not points:
        return []
    ends = ("0 s", f"{points[-1]['second'] + width:,} s after the apply began")
    return [
        charts.columns(
            unit,
            [Bar(f"second {point['second']:,}", point[name] / width) for point in points],
            ends,
            formats.rate,
        )
        for name, unit in RATES.items()
        if name != "throttled" or report["throttled"]
    ]


def skew(partitions: list[Document]) -> list[Columns]:
    """Charts of the rows, items and bytes of each partition, with their means."""
    drawn = []
    for name, title in SKEW.items() if partitions else ():
        bars = [Bar(f"partition {entry['partition']:,}", entry[name]) for entry in partitions]
        ends = (bars[0].label, bars[-1].label)
        if name == "bytes":
            unit = formats.size_unit(max(bar.value for bar in bars))
            drawn.append(charts.columns(title, bars, ends, formats.size, unit, skew=True))
        else:
            drawn.append(charts.columns(title, bars, ends, formats.count, skew=True))
    return drawn
