"""How a run differs from the last runs of its export: in rows, changes and deletes.

A figure differs strongly if it is more than three standard deviations, more than 10 % and at least
ten away from the mean. The standard deviation is at least the square root of the mean, as of a
number of independent events (https://en.wikipedia.org/wiki/Poisson_distribution), so that equal
runs do not make the next one strange.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from loader.errors import StorageFailed
from loader.report.past_runs import COMPLETE, is_figure, past_runs
from loader.report.totals import Report
from loader.storage.location import Location

FIGURES = ("rows", "changes", "deletes")
MOST_RUNS, LEAST_RUNS = 10, 5
SPREADS, SHARE, LEAST = 3.0, 0.1, 10


@dataclass(frozen=True)
class Deviation:
    """A figure of a run beside its mean and its standard deviation in the last runs."""

    figure: str
    value: float
    mean: float
    spread: float
    runs: int

    @property
    def percent(self) -> float | None:
        """The difference in percent of the mean; None if only the mean is 0."""
        if not self.mean:
            return None if self.value else 0.0
        return round(100 * (self.value - self.mean) / self.mean, 1)

    @property
    def is_strong(self) -> bool:
        difference = abs(self.value - self.mean)
        limit = max(SPREADS * self.spread, SHARE * self.mean)
        return difference > limit and difference >= LEAST

    @property
    def note(self) -> str:
        share = "" if self.percent is None else f", {abs(self.percent):,.1f} %"
        side = "above" if self.value > self.mean else "below"
        return (
            f"{self.figure}: {self.value:,.0f}{share} {side} the mean of the last "
            f"{self.runs} runs, {self.mean:,.0f} ± {self.spread:,.0f}"
        )


def compared(report: Report, export: Location) -> Report:
    """The report with its deviations from the last runs in the folder of its export.

    Runs of another target may be there too: those of other tables are not compared.
    """
    try:
        runs = past_runs(export)
    except StorageFailed as error:
        note = f"the run is not compared with the last runs: {error}"
        return replace(report, notes=[*report.notes, note])
    past = [
        run.report
        for run in runs
        if run.run < report.run
        and run.outcome == COMPLETE
        and run.report
        and _is_of_table(run.report, report)
    ]
    current = {name: getattr(report, name) for name in (*FIGURES, "keys_before")}
    full = {"full": report.context.settings.get("full")}
    found = deviations({**current, "settings": full}, past)
    strong = [deviation for deviation in found if deviation.is_strong]
    fields: dict[str, Any] = {f"{one.figure}_deviation": one.percent for one in found}
    return replace(
        report,
        **fields,
        deviates=[deviation.figure for deviation in strong],
        notes=[*report.notes, *(deviation.note for deviation in strong)],
    )


def _is_of_table(document: Mapping[str, Any], report: Report) -> bool:
    place = report.table, report.context.region
    return (document.get("table"), document.get("region")) == place


def deviations(current: Mapping[str, Any], past: Sequence[Mapping[str, Any]]) -> list[Deviation]:
    """The figures that can be compared; `past` are the documents report.json, the newest first.

    A first load and one with --full put every item, so their changes and deletes are compared with
    nothing, and nothing with theirs.
    """
    found = []
    for figure in FIGURES:
        if not _is_comparable(figure, current):
            continue
        values = list(_values(figure, past))[:MOST_RUNS]
        if len(values) >= LEAST_RUNS:
            mean = fmean(values)
            spread = max(stdev(values), sqrt(mean))
            found.append(Deviation(figure, current[figure], mean, spread, len(values)))
    return found


def _values(figure: str, past: Iterable[Mapping[str, Any]]) -> Iterable[float]:
    for document in past:
        value = document.get(figure)
        if is_figure(value) and _is_comparable(figure, document):
            yield value


def _is_comparable(figure: str, document: Mapping[str, Any]) -> bool:
    settings = document.get("settings")
    full = isinstance(settings, dict) and settings.get("full")
    return figure == "rows" or (bool(document.get("keys_before")) and not full)
