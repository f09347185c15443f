"""The report as one HTML page: computes the values that templates/report.html shows."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from loader.printable import plain_key
from loader.report import charts, formats
from loader.report.charts import Bar, Columns
from loader.report.unsent import by_cause

if TYPE_CHECKING:
    from jinja2 import Template

Document = Mapping[str, Any]
BILLING = {"PAY_PER_REQUEST": "on demand", "PROVISIONED": "provisioned"}
RATES = {"items": "items/s", "write_units": "WCU/s", "throttled": "throttled requests/s"}
PHASES = ("start", "check", "plan", "apply")


def page(report: Document) -> str:
    """The page of the document report.json."""
    partitions = [one for one in report["partitions"] if one["partition"] is not None]
    billing = BILLING.get(report["billing_mode"] or "")
    settings = dict(report["settings"])
    spark = settings.pop("spark", {})
    seconds = {phase: report[f"{phase}_seconds"] for phase in PHASES}
    return _template().render(
        report=report,
        place=", ".join(filter(None, (report["region"], billing))),
        verdict=verdict(report),
        summary=summary(report),
        unsent=by_cause(report["partitions_not_sent"]),
        phases=charts.rows([Bar(n, s, formats.seconds(s)) for n, s in seconds.items()]),
        over_time=over_time(report),
        partitions=len(partitions),
        skew=skew(partitions) if partitions else [],
        settings=[*settings.items(), *spark.items()],
        RATES=RATES,
    )


@cache
def _template() -> "Template":
    """The page's template; a load imports Jinja only when it writes its report."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("loader.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for show in (formats.count, formats.seconds, formats.size, plain_key):
        environment.filters[show.__name__] = show
    return environment.get_template("report.html")


def verdict(report: Document) -> str:
    """The result in one line."""
    if not report["complete"]:
        return f"{report['export']} is INCOMPLETE"
    rejects = report["rejected"] + report["rows_rejected"]
    allowed = f", with {rejects:,} of {report['max_rejects']:,} allowed rejects" if rejects else ""
    return f"{report['export']} is complete{allowed}"


def summary(report: Document) -> str:
    """What a complete run did, in sentences."""
    rejected, keyless = report["rejected"], report["rows_rejected"]
    split = f" and {report['split_items']:,} split items" if report["split_items"] else ""
    sentences = [f"{report['rows_grouped']:,} rows became {report['items']:,} items{split}."]
    if rejected or keyless:
        sentences.append(
            f"DynamoDB acknowledged {report['put']:,} of them; {rejected:,} items and {keyless:,} "
            "rows without a key were rejected."
        )
    elif report["put"]:
        sentences.append("DynamoDB acknowledged all of them, and nothing was rejected.")
    if report["truncated_items"]:
        sentences.append(
            f"{report['truncated_items']:,} of them were too large and lost "
            f"{report['dropped_elements']:,} elements."
        )
    sentences.append("All totals add up.")
    before, after = report["warehouse_rows_before"], report["warehouse_rows_after"]
    if report["source_changed"]:
        sentences.append(
            f"The model changed during the read: the warehouse counted {before:,} rows before it "
            f"and {after:,} after it."
        )
    elif report["source_changed"] is False:
        sentences.append("The warehouse counted the same number of rows before and after the read.")
    return " ".join(sentences)


def over_time(report: Document) -> list[Columns]:
    """Charts of what DynamoDB acknowledged per second; none if nothing was sent."""
    points, width = report["over_time"]["points"], report["over_time"]["seconds_per_point"]
    drawn = []
    for name, unit in RATES.items() if points else ():
        bars = [Bar(f"second {point['second']:,}", point[name] / width) for point in points]
        most, mean = _most_and_mean(bars)
        words = f"at most {formats.rate(most.value)} in {most.label}, "
        words += f"{formats.rate(mean)} on average"
        ends = ("0 s", f"{points[-1]['second'] + width:,} s after the apply began")
        if name != "throttled" or report["throttled"]:
            drawn.append(charts.columns(unit, words, bars, ends, formats.rate))
    return drawn


def skew(partitions: list[Document]) -> list[Columns]:
    """Charts of the rows, items and bytes of each partition, against their means."""
    drawn = []
    for name, unit in (("rows", "rows"), ("items", "items"), ("bytes", "bytes of items")):
        bars = [Bar(f"partition {one['partition']:,}", one[name]) for one in partitions]
        most, mean = _most_and_mean(bars)
        show = formats.size if name == "bytes" else formats.count
        words = f"at most {show(most.value)}, in {most.label}"
        if mean:
            words += f": {most.value / mean:.2f} × the mean of {show(mean)}"
        scale = formats.size_unit(most.value) if name == "bytes" else 1
        ends = (bars[0].label, bars[-1].label)
        drawn.append(charts.columns(unit, words, bars, ends, show, mean, scale))
    return drawn


def _most_and_mean(bars: list[Bar]) -> tuple[Bar, float]:
    largest = max(bars, key=lambda bar: bar.value)
    return largest, sum(bar.value for bar in bars) / len(bars)
