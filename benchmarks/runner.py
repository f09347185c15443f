"""Runs the cases pair by pair; a case whose result is not what it must be ends the run."""

import shutil
import time
from collections.abc import Callable, Sequence

from benchmarks.accounts import cpu_seconds, machine_seconds
from benchmarks.cases import Case
from benchmarks.commands import last_json
from benchmarks.errors import BenchmarkError
from benchmarks.measure import Usage
from benchmarks.measurements import Measurement
from benchmarks.place import Place
from benchmarks.sink import Counts

# What a case leaves to the servers (flushing pages, ending sessions) is not the next one's.
REST_SECONDS = 1.0
FROM_USAGE = (
    "wall", "cpu", "jvm_cpu", "driver_cpu", "worker_cpu", "jvm_mb", "worker_mb", "method",
    "jvm_threads",
)  # fmt: skip
FROM_COUNTS = ("requests", "bytes", "checked")


def run_pairs(
    place: Place, cases: Sequence[Case], pairs: int, show: Callable[[Measurement], None]
) -> list[Measurement]:
    """The cases of a group in turn, `pairs` times over: ours, baseline, ours, baseline, …"""
    done: list[Measurement] = []
    for pair in range(pairs):
        for case in cases:
            done.append(measure(place, case, pair))
            show(done[-1])
    return done


def measure(place: Place, case: Case, pair: int) -> Measurement:
    """Run a case once. Raises BenchmarkError when it did not do its work, all of it, exactly."""
    folder = place.folder / "runs" / case.name
    shutil.rmtree(folder, ignore_errors=True)
    case.prepare(folder)
    time.sleep(REST_SECONDS)
    place.sink.reset()
    before = _servers(place)
    usage = case.run(folder)
    warehouse, shim, sink, machine = (b - a for a, b in zip(before, _servers(place), strict=True))
    counts = place.sink.counts()
    result = Measurement(case.name, pair, case.rows, case.items)
    result.warehouse_cpu, result.shim_cpu = warehouse, shim
    result.others_cpu = max(0.0, machine - warehouse - shim - sink - usage.cpu)
    for name in FROM_USAGE:
        setattr(result, name, getattr(usage, name))
    for name in FROM_COUNTS:
        setattr(result, name, getattr(counts, name))
    _take_from_output(result, last_json(usage))
    if problems := list_problems(case, usage, counts):
        raise BenchmarkError(f"case {case.name} must do its work, got {'; '.join(problems)}")
    shutil.rmtree(folder)
    return result


def _servers(place: Place) -> tuple[float, float, float, float]:
    """CPU seconds until now of the warehouse, the shim, the sink, and the whole machine."""
    sink = cpu_seconds(place.sink.pid)
    return place.warehouse.seconds(), place.shim.seconds(), sink, machine_seconds()


def _take_from_output(result: Measurement, said: dict[str, object]) -> None:
    """The loader's report has `plan_seconds` and `apply_seconds`, its plan has `seconds`."""

    def seconds(name: str) -> float | None:
        value = said.get(name)
        return float(value) if isinstance(value, (int, float)) else None

    if result.rows:  # the report of a kept changeset repeats how long its plan took
        result.plan_seconds = seconds("plan_seconds") or seconds("seconds")
    result.apply_seconds = seconds("apply_seconds")
    steps = [step for step in (result.plan_seconds, result.apply_seconds) if step is not None]
    result.work_wall = seconds("work_seconds") or (sum(steps) if steps else None)
    result.work_cpu = seconds("work_cpu")


def list_problems(case: Case, usage: Usage, counts: Counts) -> list[str]:
    """Why a run counts for nothing."""
    problems = []
    if usage.code != case.code:
        problems.append(f"exit code {usage.code} instead of {case.code} ({usage.log})")
    if counts.items != case.items:
        problems.append(f"{counts.items:,} items in the sink instead of {case.items:,}")
    if counts.malformed:
        problems.append(f"{counts.malformed:,} bodies that are no JSON")
    return problems
