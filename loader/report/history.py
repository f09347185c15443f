"""The page index.html in an export's folder: its last runs, as a table and as charts."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from loader.report import charts, formats
from loader.report.charts import Bar, Columns
from loader.report.html import render
from loader.report.past_runs import COMPLETE, PastRun, past_runs
from loader.storage.location import Location

INDEX_FILE = "index.html"
# Charts, each with its field of report.json.
FIGURES: dict[str, tuple[str, Callable[[float], str]]] = {
    "rows": ("rows", formats.count),
    "items": ("items", formats.count),
    "items put": ("put", formats.count),
    "items deleted": ("deleted", formats.count),
    "write units": ("write_units", formats.count),
    "seconds": ("seconds", formats.seconds),
}
LEAST_HEIGHT = 1.5  # percent of the plot: a value above 0 is never invisible
MOST_WIDTH = 10.0  # percent of the plot


def save(folder: Location) -> None:
    """Create or replace the page in the export's folder; raises `StorageFailed`."""
    html = history_page(folder.name, past_runs(folder))
    # UTF-8 cannot encode a lone surrogate: show its escape.
    folder.write(INDEX_FILE, html.encode(errors="backslashreplace"))


def history_page(export: str, runs: Sequence[PastRun]) -> str:
    """The page of these runs, the newest first."""
    begun = [run for run in runs if run.has_begun]
    reported = [run for run in runs if run.report]
    with_verdict = [run for run in runs if run.report or run.has_failed]
    return render(
        "index.html",
        export=export,
        runs=runs,
        begun=len(begun),
        last=with_verdict[0] if with_verdict else None,
        complete=sum(run.outcome == COMPLETE for run in begun),
        # One column says less than the table.
        charts=[_chart(name, begun) for name in FIGURES] if len(reported) > 1 else [],
    )


def _chart(title: str, runs: Sequence[PastRun]) -> Columns:
    """A column per run, the oldest first; those of runs that are not complete are hollow."""
    field, show = FIGURES[title]
    known = {run.run: run.report[field] for run in runs if run.report}
    bars = [
        Bar(f"{run.run}, {run.outcome}", known.get(run.run, 0), hollow=run.outcome != COMPLETE)
        for run in reversed(runs)
    ]
    ends = (runs[-1].run[:10], runs[0].run[:10])
    chart = charts.columns(title, bars, ends, show)
    last, *_ = known.values()
    words = f"last {show(last)}, at most {show(max(known.values()))}"
    placed = [
        _placed(bar if run.report else replace(bar, text="unknown"))
        for bar, run in zip(chart.bars, reversed(runs), strict=True)
    ]
    return replace(chart, words=words, bars=placed)


def _placed(bar: Bar) -> Bar:
    """The bar, high enough to be seen and no wider than `MOST_WIDTH`."""
    height = max(bar.height, LEAST_HEIGHT) if bar.value else 0.0
    width = min(bar.width, MOST_WIDTH)
    x = round(bar.x + (bar.width - width) / 2, 3)
    return replace(bar, x=x, y=100 - height, width=width, height=height)
