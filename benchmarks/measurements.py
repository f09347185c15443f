"""Measurements, and the ratios computed from them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Measurement:
    """One run of a case: CPU and wall seconds, peak resident megabytes, counts of the sink.

    `cpu` is of the whole process tree. `work_wall` and `work_cpu` exclude start-up, and are None if
    the case does not measure it. `warehouse_cpu` is PostgreSQL's, `shim_cpu` that of the proxy in
    front of it, `others_cpu` that of all processes that are not part of the case. `jvm_threads` and
    `executor_cpu` are as in Usage. `units` are write units. `state_bytes` is the size of the files
    of the state, None if the case does not measure it.
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
    units: int = 0
    bytes: int = 0
    state_bytes: int | None = None
    method: str = ""
    jvm_threads: dict[str, float] = field(default_factory=dict)
    executor_cpu: dict[str, float] = field(default_factory=dict)

    @property
    def bytes_per_key(self) -> float | None:
        """Bytes of state per key, of a case with one row per key."""
        return None if self.state_bytes is None else self.state_bytes / self.rows

    @property
    def task_cpu(self) -> float:
        """CPU seconds of the tasks on executors: threads of their JVMs, and Python workers."""
        return self.executor_cpu.get("tasks", 0.0) + self.executor_cpu.get("python", 0.0)

    @property
    def disturbed(self) -> float:
        """The average number of cores that other processes used."""
        return self.others_cpu / self.wall if self.wall else 0.0


Pair = dict[str, Measurement]
# The sampler and the system itself use less than this.
DISTURBED_CORES = 0.15


@dataclass(frozen=True)
class Ratio:
    """The loader's value over the baseline's in a pair; some have a limit, and a goal (`aim`)."""

    name: str
    title: str
    at_most: float | None
    aim: float | None
    ours: Callable[[Pair], float]
    baseline: Callable[[Pair], float]


def write_cpu(pair: Pair) -> float:
    """CPU seconds of an apply per 100 k items, without start-up."""
    large, small = pair["apply"], pair["apply_start"]
    return (large.cpu - small.cpu) / (large.items - small.items) * 1e5


def work_cpu(name: str) -> Callable[[Pair], float]:
    """CPU seconds per 100 k items of a writer that measures itself."""
    return lambda pair: (pair[name].work_cpu or 0.0) / pair[name].items * 1e5


def net(value: str, name: str) -> Callable[[Pair], float]:
    """The value of a load less that of a load of few rows, so without start-up."""
    return lambda pair: getattr(pair[name], value) - getattr(pair[f"{name}_start"], value)


def queries_cpu(kind: str) -> Callable[[Pair], float]:
    """The warehouse's CPU seconds of a plan, without its queries that count rows and keys."""
    return lambda pair: pair[f"plan_{kind}"].warehouse_cpu - pair[f"count_{kind}"].warehouse_cpu


def of(case: str, value: str) -> Callable[[Pair], float]:
    """A value of a case."""
    return lambda pair: float(getattr(pair[case], value))


RATIOS = (
    Ratio(
        "cpu", "CPU of a load, against the usual script", 1 / 6, 1 / 8,
        of("ours", "cpu"), of("usual", "cpu"),
    ),
    Ratio(
        "wall", "wall time of a load, against the usual script", 1 / 8, 1 / 10,
        of("ours", "wall"), of("usual", "wall"),
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
        "tuned_cpu", "CPU of a load, against the tuned script", None, None,
        of("ours", "cpu"), of("tuned", "cpu"),
    ),
    Ratio(
        "tuned_wall", "wall time of a load, against the tuned script", None, None,
        of("ours", "wall"), of("tuned", "wall"),
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
        of("plan_table", "warehouse_cpu"), of("plan_view", "warehouse_cpu"),
    ),
    Ratio(
        "worker_memory", "peak memory of a worker, with a heavy user against without", 1.15, None,
        of("heavy", "worker_mb"), of("not_heavy", "worker_mb"),
    ),
    Ratio(
        "growth", "CPU per row, 4 times the rows against the rows", 1.05, None,
        lambda p: p["grown"].cpu / p["grown"].rows, lambda p: p["base"].cpu / p["base"].rows,
    ),
    Ratio(
        "units", "write units of a nightly load, against those of the changes", 1.05, None,
        of("nightly", "units"), of("changes", "units"),
    ),
    Ratio(
        "requests", "requests of a nightly load, against full batches of the changes", 1.05, None,
        of("nightly", "requests"), of("changes", "requests"),
    ),
    Ratio(
        "units_full", "write units of a nightly load, against a full load", 1 / 45, None,
        of("nightly", "units"), of("full", "units"),
    ),
    Ratio(
        "requests_full", "requests of the same", 1 / 45, None,
        of("nightly", "requests"), of("full", "requests"),
    ),
    Ratio(
        "cpu_full", "CPU of the same", 0.75, None,
        of("nightly", "cpu"), of("full", "cpu"),
    ),
    Ratio(
        "wall_full", "wall time of the same", 0.7, None,
        of("nightly", "wall"), of("full", "wall"),
    ),
    *(
        Ratio(
            f"{value}_{script}", f"{title}, against the {script} script's", None, None,
            of("nightly", value), of(f"{script}_nightly", value),
        )
        for script in ("usual", "tuned")
        for value, title in (
            ("units", "write units of a nightly load"),
            ("requests", "requests of a nightly load"),
            ("cpu", "CPU of a nightly load"),
            ("wall", "wall time of a nightly load"),
        )
    ),
    Ratio(
        "executors_wall", "wall time of a load, 2 executors against 1", 0.58, None,
        of("executors_2", "wall"), of("executors_1", "wall"),
    ),
    Ratio(
        "executors_net", "the same, less that of a load of 1/20 of the rows", None, None,
        net("wall", "executors_2"), net("wall", "executors_1"),
    ),
    Ratio(
        "executors_plan", "the plan alone", None, None,
        of("executors_2", "plan_seconds"), of("executors_1", "plan_seconds"),
    ),
    Ratio(
        "executors_apply", "the apply alone", None, None,
        of("executors_2", "apply_seconds"), of("executors_1", "apply_seconds"),
    ),
    Ratio(
        "executors_cpu", "CPU of the load, with start and compiling of each executor", None, None,
        of("executors_2", "cpu"), of("executors_1", "cpu"),
    ),
    Ratio(
        "executors_tasks", "CPU of the tasks, less that of a load of 1/20 of the rows", 1.05, None,
        net("task_cpu", "executors_2"), net("task_cpu", "executors_1"),
    ),
    # The scripts load everything every night.
    *(
        Ratio(
            f"full_{value}_{script}", f"{title}, against the {script} script's", None, None,
            of("full", value), of(f"{script}_nightly", value),
        )
        for script in ("usual", "tuned")
        for value, title in (("cpu", "CPU of a full load"), ("wall", "wall time of a full load"))
    ),
)  # fmt: skip


def pairs(measurements: Iterable[Measurement]) -> list[Pair]:
    """The measurements of each pair by the name of the case."""
    rounds: dict[int, Pair] = {}
    for measurement in measurements:
        rounds.setdefault(measurement.pair, {})[measurement.case] = measurement
    return [rounds[number] for number in sorted(rounds)]


def of_pairs(value: Callable[[Pair], float], pairs: Iterable[Pair]) -> list[float]:
    """The value of every pair that has the required cases."""
    values = []
    for pair in pairs:
        try:
            values.append(value(pair))
        except (KeyError, ZeroDivisionError):
            continue
    return values


def ratios(measurements: Sequence[Measurement]) -> dict[str, float | None]:
    """The median of each ratio over the pairs; None if a case was not run."""
    rounds = pairs(measurements)
    by_name: dict[str, float | None] = {}
    for ratio in RATIOS:
        values = of_pairs(lambda p, r=ratio: r.ours(p) / r.baseline(p), rounds)  # type: ignore[misc]
        by_name[ratio.name] = median(values) if values else None
    return by_name


def medians(measurements: Sequence[Measurement], value: str) -> dict[str, float]:
    """The median of a field per case, over the runs where it is not None."""
    by_case: dict[str, list[float]] = {}
    for measurement in measurements:
        number = getattr(measurement, value)
        if number is not None:
            by_case.setdefault(measurement.case, []).append(number)
    return {case: median(numbers) for case, numbers in by_case.items()}


def disturbance(measurements: Sequence[Measurement]) -> list[str]:
    """A warning if other processes used the machine during the runs; otherwise empty."""
    disturbed = [m for m in measurements if m.disturbed > DISTURBED_CORES]
    if not disturbed:
        return []
    worst = max(disturbed, key=lambda m: m.disturbed)
    return [
        f"DISTURBED: other processes used the machine in {len(disturbed)} of {len(measurements)} "
        f"runs (most in {worst.case}: {worst.disturbed:.1f} cores): repeat it on an idle machine"
    ]
