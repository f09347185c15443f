"""The report as one HTML page: computes the values that templates/report.html shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loader.report import charts, formats
from loader.report.charts import Bar, Columns
from loader.report.html import render
from loader.report.unsent import by_cause

Document = Mapping[str, Any]
BILLING = {"PAY_PER_REQUEST": "on demand", "PROVISIONED": "provisioned"}
SKEW = {"rows": "rows", "items": "items", "bytes": "bytes of items"}
PHASES = ("start", "check", "plan", "apply")


def page(report: Document) -> str:
    """The page of the document report.json."""
    partitions = [entry for entry in report["partitions"] if entry["partition"] is not None]
    settings = dict(report["settings"])
    spark = settings.pop("spark", {})
    shown = rates(report)
    seconds = {phase: report[f"{phase}_seconds"] for phase in PHASES}
    return render(
        "report.html",
        report=report,
        billing=BILLING.get(report["billing_mode"]),
        unsent=by_cause(report["partitions_not_sent"]),
        phases=charts.rows([Bar(n, s, formats.seconds(s)) for n, s in seconds.items()]),
        over_time=[over_time_chart(report, rate) for rate in shown],
        rates=shown,
        partitions=len(partitions),
        skew=skew(partitions),
        settings=[*settings.items(), *spark.items()],
    )


@dataclass(frozen=True)
class Rate:
    """Something per second, by point of the apply, and what was allowed; None: unknown."""

    title: str
    values: Sequence[float]
    allowed: Sequence[float | None] = ()


def rates(report: Document) -> list[Rate]:
    """The answers of DynamoDB per second; none if nothing was sent."""
    over_time = report["over_time"]
    points, width = over_time["points"], over_time["seconds_per_point"]
    if not points:
        return []
    items, units, throttled = (
        [point[name] / width for point in points] for name in ("items", "write_units", "throttled")
    )
    limited = [
        Rate(
            f"WCU/s of index {limit['index']}" if limit["index"] else "WCU/s of the table",
            [number / width for number in limit["write_units"]],
            limit["allowed"],
        )
        for limit in over_time["limits"]
    ]
    others = sum(units) - sum(sum(rate.values) for rate in limited)
    if len(limited) == 1 and abs(others) < 1:
        limited = [replace(limited[0], title="WCU/s")]
    elif not limited or others >= 1:  # of indexes without a limit, or of an earlier apply
        limited.insert(0, Rate("WCU/s", units))
    return [
        Rate("changes/s", items),
        *limited,
        *([Rate("throttled requests/s", throttled)] if report["throttled"] else []),
    ]


def over_time_chart(report: Document, rate: Rate) -> Columns:
    """A column per point."""
    points, width = report["over_time"]["points"], report["over_time"]["seconds_per_point"]
    ends = ("0 s", f"{points[-1]['second'] + width:,} s after the apply began")
    bars = [
        Bar(f"second {point['second']:,}", value)
        for point, value in zip(points, rate.values, strict=True)
    ]
    return charts.columns(rate.title, bars, ends, formats.rate, limit=rate.allowed)


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
