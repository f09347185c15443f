"""The cases: each writes the items of one model into one table whose capacity is limited."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.capacity import measure, traffic
from sandbox.capacity.log import Record
from sandbox.capacity.measure import Step
from tests.pace import ended_broker
from tests.pace.result import FOLLOW_SECONDS, Result, Rule, measured
from tests.pace.world import INDEX, SLOTS, Data, Place, Run, World, last_line

Event = tuple[float, Callable[[Run], None]]
# Partition r has a share proportional to r^-1.95: the largest has half of the items, so that its
# task, one of four, runs alone for the last third.
ZIPF = "least(29, floor(power(1 - i / {items}.0 * (1 - power(31, -0.95)), -1 / 0.95))::int - 1)"
RANGES, RANGE_UNITS = 10, 1_000.0
LIVE_ITEM_UNITS = 4


@dataclass(frozen=True)
class Case:
    """What is allowed and what happens; `event` is shown in docs/performance.md.

    `capacity`: the loader's --write-capacity. `limits`: those of the table. `allowed`: the units
    per second of which shares are computed; without it, the capacity of `resource`, which is the
    table or its index. `events`: what happens how many seconds after the first write. `after`: the
    seconds that do not count. `live_share`: of the table's capacity, used by other traffic.
    `ranges`: key ranges; allowed is the best possible with them. `strikes`: processes are killed.
    `module`: what is run.
    """

    name: str
    event: str
    data: Data
    capacity: str
    limits: Mapping[str, Any]
    rule: Rule
    allowed: float | None = None
    resource: str = ""
    events: Sequence[Event] = ()
    after: float = 0.0
    live_share: float = 0.0
    one_task_alone: bool = False
    ranges: int = 0
    strikes: bool = False
    module: str = "loader"

    @property
    def measured(self) -> str:
        """The name of the resource in the proxy's record."""
        return f"{self.name}/index/{self.resource}" if self.resource else self.name


@dataclass
class Played:
    """The result of a case, with what a plot needs."""

    result: Result
    record: Record = field(repr=False)
    steps: list[Step]


def play(world: World, case: Case) -> Played:
    place = world.place(case.name, case.data, case.limits)
    folder = place.plan()
    if case.one_task_alone:
        place.let_one_task_run_alone(folder)
    with ExitStack() as stack:
        if case.live_share:
            stack.enter_context(_live(world, place, case.live_share))
        run = stack.enter_context(place.run(folder, case.capacity, case.module))
        problem = _events(run, case.events)
        outcome = run.wait()
    record = world.proxy.record()
    if outcome.code:
        problem = f"the loader ended with {outcome.code}: {last_line(outcome.err)}"
    elif ended_broker.STRUCK in outcome.err:
        run.struck.append(ended_broker.STRUCK)
    if case.strikes and not run.struck:
        problem = problem or "what should have happened did not happen"
    steps = _steps(place, case, run, record)
    result = measured(
        case.name,
        case.rule,
        record,
        case.measured,
        steps=steps,
        changes=run.changes,
        after=case.after,
    )
    return Played(replace(result, problem=problem or result.problem), record, steps)


def _live(world: World, place: Place, share: float) -> Any:
    return traffic.running(world.proxy, place.name, share=share, item_units=LIVE_ITEM_UNITS)


def _events(run: Run, events: Sequence[Event]) -> str:
    """Play the events; returns why not all of them happened."""
    if not events:
        return ""
    first = run.first_write()
    if first is None:
        return "nothing was written"
    for at, act in events:
        if not run.wait_until(first + at):
            return f"the run ended less than {at:g} s after its first write"
        act(run)
    return ""


def _steps(place: Place, case: Case, run: Run, record: Record) -> list[Step]:
    """What was allowed over time."""
    if case.ranges:
        best = place.best_seconds(float(case.capacity), case.ranges, RANGE_UNITS)
        return [Step(0.0, case.data.items / best)]
    if case.allowed is None:
        return measure.steps_of(record, case.measured)
    return [Step(0.0, case.allowed), *run.changes]


def _limit(units: float) -> Callable[[Run], None]:
    return lambda run: run.limit(units)


def _pace(units: float) -> Callable[[Run], None]:
    return lambda run: run.pace(units)


HELD = Rule(worst_5s=1.05)
CASES = (
    Case(
        "even",
        f"2,000 units/s allowed; 30 partitions of equal size, {SLOTS} task slots",
        Data(80_000),
        "2000",
        {"write": 2_000},
        Rule(used=0.97, throttled=0.01),
    ),
    Case(
        "one_task_alone",
        "the same, Zipf-skewed: one task runs alone for the last third",
        Data(80_000, partition=ZIPF.format(items=80_000)),
        "2000",
        {"write": 2_000},
        Rule(used=0.95, throttled=0.01),
        one_task_alone=True,
    ),
    Case(
        "below_the_capacity",
        "500 units/s allowed on a table with 2,000",
        Data(15_000),
        "500",
        {"write": 2_000},
        HELD,
        allowed=500.0,
    ),
    Case(
        "live_traffic",
        "`50%` of 2,000 units/s, of which other traffic takes 45 %",
        Data(35_000),
        "50%",
        {"write": 2_000},
        Rule(live_throttled=0.01),
        allowed=1_000.0,
        live_share=0.45,
    ),
    Case(
        "index",
        "an index with 1,000 units/s, half of the table's; shares are of the index",
        Data(35_000, has_index=True),
        "100%",
        {"write": 2_000, "indexes": {INDEX: {"write": 1_000}}},
        Rule(used=0.97, throttled=0.01),
        resource=INDEX,
    ),
    Case(
        "capacity_changes",
        "`100%` of 1,000 units/s, which become 2,000 and then 800 during the run",
        Data(52_000),
        "100%",
        {"write": 1_000},
        Rule(follow=FOLLOW_SECONDS),
        events=[(10.0, _limit(2_000)), (22.0, _limit(800))],
    ),
    Case(
        "loader_pace",
        "500 units/s allowed, then `loader pace` 1500 and 700, on a table with 2,000",
        Data(34_000),
        "500",
        {"write": 2_000},
        Rule(follow=FOLLOW_SECONDS),
        allowed=500.0,
        events=[(10.0, _pace(1_500)), (22.0, _pace(700))],
    ),
    Case(
        "max",
        "`max` on a table on demand that accepts 3,000 units/s, which it does not show; "
        "shares from 20 s on",
        Data(150_000),
        "max",
        {"mode": "on_demand", "write": 3_000},
        Rule(used=0.95, throttled=0.01),
        allowed=3_000.0,
        after=20.0,
    ),
    Case(
        "hot_partition_key",
        "3,000 units/s allowed on a table with a sort key, 1,000 per key range; one partition key "
        "has 30 % of all items. Allowed is the best possible",
        Data(
            90_000,
            user="case when i % 10 < 3 then 'hot' else 'u' || i / 30 end",
            partition="case when i % 10 < 3 then 0 else i / 30 % 30 end",
            has_sort_key=True,
        ),
        "3000",
        {"write": 3_000, "partitions": RANGES},
        Rule(used=0.9),
        ranges=RANGES,
    ),
    Case(
        "executor_killed",
        "1,500 units/s allowed on a table with 4,000; all Python workers are killed after 10 s",
        Data(45_000),
        "1500",
        {"write": 4_000},
        HELD,
        allowed=1_500.0,
        events=[(10.0, Run.kill_workers)],
        strikes=True,
    ),
    Case(
        "broker_restarted",
        "the same; the broker in the driver ends after 10 s and is started again",
        Data(45_000),
        "1500",
        {"write": 4_000},
        HELD,
        allowed=1_500.0,
        strikes=True,
        module="tests.pace.ended_broker",
    ),
)

# For tests/integration. It takes seconds, and a machine that stalls must not break its rule.
SMOKE = Case(
    "smoke",
    "1,000 units/s allowed on a table with 4,000",
    Data(6_000),
    "1000",
    {"write": 4_000},
    Rule(worst_5s=1.5),
    allowed=1_000.0,
)
