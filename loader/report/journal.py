"""What becomes known in the course of a run, for what is sent at its end."""

from dataclasses import dataclass, field

from loader.errors import LoaderError
from loader.plan.result import Plan
from loader.report.timing import Stopwatch
from loader.report.totals import Report
from loader.settings import Settings


@dataclass
class Journal:
    """A run, as far as it has come. Exports are in their order.

    `begun` are the exports whose runs are recorded as unfinished: `loader resume` finds them.
    `tables` has the table of each export, empty while it is not known. `results` has the report of
    an export, or why its apply has none. `recorded` are the exports of a run that recorded in its
    folder why it wrote nothing. `kept` is the folder of a plan that was kept before.
    """

    settings: Settings = field(default_factory=Settings)
    watch: Stopwatch = field(default_factory=Stopwatch)
    run: str = ""
    tables: dict[str, str] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    results: dict[str, Report | LoaderError] = field(default_factory=dict)
    recorded: set[str] = field(default_factory=set)
    kept: str = ""
    begun: set[str] = field(default_factory=set)

    def add_plan(self, plan: Plan) -> None:
        self.run, self.tables[plan.export] = plan.run, plan.table
        self.plans[plan.export] = plan
