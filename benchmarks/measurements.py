"""What was measured, and the ratios that are made of it. Pure: no process, no file."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Measurement:
    """One case run once: seconds of CPU and wall, peak resident megabytes, what the sink counted.

    `cpu` is of the whole process tree; `work_wall` and `work_cpu` leave start-up out, where the
    case can tell; `warehouse_cpu` is PostgreSQL's and `shim_cpu` that of the wire in front of it.
    `others_cpu` is what processes that have nothing to do with the case took from the machine.
    """

    case: str
    pair: int
    rows: int
    items: int
    wall: float = 0.0
    cpu: float = 0.0
    jvm_cpu: float = 0.0
    driver_cpu: float = 0.0
    worker_cpu: float = 0.0
    jvm_mb: float = 0.0
    worker_mb: float = 0.0
    warehouse_cpu: float = 0.0
    shim_cpu: float = 0.0
    others_cpu: float = 0.0
    work_wall: float | None = None
    work_cpu: float | None = None
    plan_seconds: float | None = None
    apply_seconds: float | None = None
    requests: int = 0
    bytes: int = 0
    checked: int = 0
    method: str = ""
    jvm_threads: dict[str, float] = field(default_factory=dict)

    @property
    def disturbed(self) -> float:
        """How many cores were busy with something else, on average."""
        return self.others_cpu / self.wall if self.wall else 0.0


Pair = dict[str, Measurement]
# What the sampler and the system itself take of a core stays below it.
DISTURBED_CORES = 0.15


@dataclass(frozen=True)
class Ratio:
    """Ours over the baseline, for one pair; `at_most` must hold, `aim` should."""

    name: str
    title: str
    at_most: float
    aim: float | None
    ours: Callable[[Pair], float]
    baseline: Callable[[Pair], float]


def write_cpu(pair: Pair) -> float:
    """CPU seconds of our apply for 100 k items: what more items cost, start-up cancelled."""
    large, small = pair["apply"], pair["apply_start"]
    return (large.cpu - small.cpu) / (large.items - small.items) * 1e5


def work_cpu(name: str) -> Callable[[Pair], float]:
    """CPU seconds for 100 k items of a writer that measures itself."""
    return lambda pair: (pair[name].work_cpu or 0.0) / pair[name].items * 1e5


def net(value: str, name: str) -> Callable[[Pair], float]:
    """What a load of all rows takes more than one of few rows: start-up cancels."""
    return lambda pair: getattr(pair[name], value) - getattr(pair[f"{name}_start"], value)


def queries_cpu(of: str) -> Callable[[Pair], float]:
    """The warehouse's CPU for a plan, less that of the counts that the plan asks for as well."""
    return lambda pair: pair[f"plan_{of}"].warehouse_cpu - pair[f"count_{of}"].warehouse_cpu


RATIOS = (
    Ratio(
        "cpu", "CPU of a load, against the usual script", 1 / 6, 1 / 8,
        lambda p: p["ours"].cpu, lambda p: p["usual"].cpu,
    ),
    Ratio(
        "wall", "wall time of a load, against the usual script", 1 / 8, 1 / 10,
        lambda p: p["ours"].wall, lambda p: p["usual"].wall,
    ),
    Ratio(
        "net_cpu", "the same CPU, less that of a load of few rows", 1 / 6, 1 / 8,
        net("cpu", "ours"), net("cpu", "usual"),
    ),
    Ratio(
        "net_wall", "the same wall time, less that of a load of few rows", 1 / 8, 1 / 10,
        net("wall", "ours"), net("wall", "usual"),
    ),
    Ratio(
        "write_cpu", "CPU per 100 k items written, against batch_writer", 1 / 9, 1 / 14,
        write_cpu, work_cpu("batch_writer"),
    ),
    Ratio(
        "warehouse_cpu", "warehouse CPU of a read's 30 queries, table against view", 1 / 10, None,
        queries_cpu("table"), queries_cpu("view"),
    ),
    Ratio(
        "plan_warehouse_cpu", "the same with the counts of rows and keys", 1 / 10, None,
        lambda p: p["plan_table"].warehouse_cpu, lambda p: p["plan_view"].warehouse_cpu,
    ),
    Ratio(
        "worker_memory", "peak memory of a worker, with a heavy user against without", 1.15, None,
        lambda p: p["heavy"].worker_mb, lambda p: p["not_heavy"].worker_mb,
    ),
    Ratio(
        "growth", "CPU per row, 4 times the rows against the rows", 1.05, None,
        lambda p: p["grown"].cpu / p["grown"].rows, lambda p: p["base"].cpu / p["base"].rows,
    ),
)  # fmt: skip


def pairs(measurements: Iterable[Measurement]) -> list[Pair]:
    """The cases of each round, by name."""
    rounds: dict[int, Pair] = {}
    for one in measurements:
        rounds.setdefault(one.pair, {})[one.case] = one
    return [rounds[number] for number in sorted(rounds)]


def of_pairs(value: Callable[[Pair], float], among: Iterable[Pair]) -> list[float]:
    """The value of every pair that has the cases it needs."""
    values = []
    for pair in among:
        try:
            values.append(value(pair))
        except (KeyError, ZeroDivisionError):
            continue
    return values


def ratios(measurements: Sequence[Measurement]) -> dict[str, float | None]:
    """Median over the pairs of ours / baseline; None where a case was not run."""
    among = pairs(measurements)
    found: dict[str, float | None] = {}
    for ratio in RATIOS:
        values = of_pairs(lambda p, r=ratio: r.ours(p) / r.baseline(p), among)  # type: ignore[misc]
        found[ratio.name] = median(values) if values else None
    return found


def medians(measurements: Sequence[Measurement], value: str) -> dict[str, float]:
    """The median of a field by case, of those that have it."""
    by_case: dict[str, list[float]] = {}
    for one in measurements:
        number = getattr(one, value)
        if number is not None:
            by_case.setdefault(one.case, []).append(number)
    return {case: median(numbers) for case, numbers in by_case.items()}


def disturbance(measurements: Sequence[Measurement]) -> list[str]:
    """One line if other work on the machine makes the numbers doubtful, none otherwise."""
    disturbed = [one for one in measurements if one.disturbed > DISTURBED_CORES]
    if not disturbed:
        return []
    most = max(disturbed, key=lambda one: one.disturbed)
    return [
        f"DISTURBED: {len(disturbed)} of {len(measurements)} runs had other work beside them "
        f"(most: {most.case}, {most.disturbed:.1f} cores): run it again on a machine at rest"
    ]
