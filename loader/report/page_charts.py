"""The sections of the report page that have charts: phases, writing over time, partitions."""

from collections.abc import Mapping
from typing import Any

from loader.report import charts
from loader.report.charts import Bar
from loader.report.markup import (
    Markup,
    count,
    figure,
    fill,
    join,
    note,
    numbers,
    rate,
    seconds,
    section,
    size,
    size_unit,
    table,
)

Document = Mapping[str, Any]
SLOWEST = 10
TABLE_ROWS = 500


def phases(report: Document) -> Markup:
    names = ("start", "check", "plan", "apply")
    bars = [Bar(name, report[f"{name}_seconds"]) for name in names]
    chart = charts.rows_chart("Seconds of each phase", bars, [seconds(bar.value) for bar in bars])
    return section(
        "Where the time went",
        chart
        + note(
            "start: the dbt project and Spark · check: view and table · plan: reading the "
            "warehouse and grouping · apply: writing to DynamoDB"
        ),
    )


def over_time(report: Document) -> Markup:
    points, width = report["over_time"]["points"], report["over_time"]["seconds_per_point"]
    if not points:
        return section("Writing over time", fill("<p>Nothing was sent.</p>"))
    ends = ("0 s", f"{points[-1]['second'] + width:,} s after the apply began")
    units = [("items", "items/s"), ("write_units", "WCU/s")]
    if report["throttled"]:
        units.append(("throttled", "throttled requests/s"))
    drawn = []
    for name, unit in units:
        bars = [Bar(f"second {p['second']:,}", p[name] / width) for p in points]
        most = max(bars, key=lambda bar: bar.value)
        average = sum(bar.value for bar in bars) / len(bars)
        words = f"at most {rate(most.value)} in {most.label}, {rate(average)} on average"
        drawn.append(figure(unit, words, charts.columns_chart(unit, words, bars, ends, rate)))
    rows = [[p["second"], *(f"{p[name] / width:,.1f}" for name, _ in units)] for p in points]
    explained = f"Each column is {width} s of wall time; the last may be a part of it."
    return section(
        "Writing over time",
        '<div class="two">'
        + join(drawn)
        + "</div>"
        + note(explained)
        + numbers(table(["Second", *(u for _, u in units)], rows)),
    )


def partitions(report: Document) -> Markup:
    found = [one for one in report["partitions"] if one["partition"] is not None]
    if not found:
        return section("Skew of the partitions", fill("<p>No row was read.</p>"))
    drawn, merged = [], 1
    for name, unit in (("rows", "rows"), ("items", "items"), ("bytes", "bytes of items")):
        bars = [Bar(f"partition {one['partition']:,}", one[name]) for one in found]
        most = max(bars, key=lambda bar: bar.value)
        average = sum(bar.value for bar in bars) / len(bars)
        show = size if name == "bytes" else count
        words = f"at most {show(most.value)}, in {most.label}"
        if average:
            words += f": {most.value / average:.2f} × the mean of {show(average)}"
        bars, merged = charts.merged(bars)
        ends = (bars[0].label, bars[-1].label)
        scale = size_unit(most.value) if name == "bytes" else 1
        chart = charts.columns_chart(unit, words, bars, ends, show, average, scale)
        drawn.append(figure(unit, words, chart))
    explained = (
        f"{len(found):,} partitions have rows. The dashed line is their mean; the largest has a "
        "colour of its own."
    )
    if merged > 1:
        explained += f" Each column is the largest of {merged} neighbours."
    return section(
        "Skew of the partitions", '<div class="three">' + join(drawn) + "</div>" + note(explained)
    )


def slowest(report: Document) -> Markup:
    """Two tables: a partition's own seconds, and the queries' waits, which those are without."""
    explained = (
        "A partition's seconds are from its first rows in Python to its file being written. The "
        "query itself is not in there, because Spark sorts all rows of a query before it gives "
        "the first: that is the wait of the query."
    )
    tables = (
        fill("<div>{}</div>", _slowest_partitions(report)),
        fill("<div>{}</div>", _slowest_queries(report)),
    )
    content = fill('{}<div class="two tables">{}</div>', note(explained), join(tables))
    return section("Slowest partitions", content)


def _slowest_partitions(report: Document) -> Markup:
    heads = ["Partition", "Query", "Seconds", "Rows", "Items", "Bytes"]
    rows = [
        [
            "none" if one["partition"] is None else one["partition"],
            "none" if one["query"] is None else one["query"],
            f"{one['seconds']:.3f}", count(one["rows"]), count(one["items"]), size(one["bytes"]),
        ]
        for one in sorted(report["partitions"], key=lambda one: -one["seconds"])
    ]  # fmt: skip
    found = fill("<h3>Partitions</h3>{}", table(heads, rows[:SLOWEST]))
    if len(rows) <= SLOWEST:
        return found
    which = "All" if len(rows) <= TABLE_ROWS else f"The slowest {TABLE_ROWS}"
    return join((found, numbers(table(heads, rows[:TABLE_ROWS]), f"{which} partitions")))


def _slowest_queries(report: Document) -> Markup:
    rows = [
        [
            one["query"], f"{one['first_partition']} to {one['last_partition']}",
            f"{one['wait_seconds']:.1f}", f"{one['seconds']:.1f}", count(one["rows"]),
        ]
        for one in sorted(report["queries"], key=lambda one: -one["seconds"])
    ]  # fmt: skip
    heads = ["Query", "Partitions", "Wait, s", "In all, s", "Rows"]
    return fill("<h3>Queries</h3>{}", table(heads, rows[:SLOWEST]))
