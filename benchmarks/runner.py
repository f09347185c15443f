"""Run the cases pair by pair; a wrong result of a case ends the run."""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.case import Case
from benchmarks.commands import last_json
from benchmarks.cpu_time import cpu_seconds, machine_seconds
from benchmarks.errors import BenchmarkError
from benchmarks.measurements import Measurement
from benchmarks.services import Services
from benchmarks.sink import Counts
from benchmarks.usage import Usage

# The servers finish the work of a case (flush pages, end sessions) before the next case.
REST_SECONDS = 1.0
FROM_USAGE = (
    "wall", "cpu", "jvm_cpu", "driver_cpu", "worker_cpu", "jvm_mb", "worker_mb", "method",
    "jvm_threads", "executor_cpu",
)  # fmt: skip
FROM_COUNTS = ("requests", "units", "bytes")


def run_pairs(
    services: Services, cases: Sequence[Case], pairs: int, show: Callable[[Measurement], None]
) -> list[Measurement]:
    """Run the cases of a group in turn, `pairs` times: ours, baseline, ours, baseline, …"""
    measurements: list[Measurement] = []
    for pair in range(pairs):
        for case in cases:
            measurements.append(measure(services, case, pair))
            show(measurements[-1])
    return measurements


def measure(services: Services, case: Case, pair: int) -> Measurement:
    """Run a case once. Raises BenchmarkError if its exit code or its items are wrong."""
    folder = services.folder / "runs" / case.name
    shutil.rmtree(folder, ignore_errors=True)
    case.prepare(folder)
    case.table(services.sink)
    time.sleep(REST_SECONDS)
    services.sink.reset()
    before = _server_seconds(services)
    usage = case.run(folder)
    warehouse, shim, sink, machine = (
        b - a for a, b in zip(before, _server_seconds(services), strict=True)
    )
    counts = services.sink.counts()
    result = Measurement(case.name, pair, case.rows, case.items)
    result.warehouse_cpu, result.shim_cpu = warehouse, shim
    case_cpu = usage.cpu + usage.filler_cpu
    result.others_cpu = max(0.0, machine - warehouse - shim - sink - case_cpu)
    for name in FROM_USAGE:
        setattr(result, name, getattr(usage, name))
    for name in FROM_COUNTS:
        setattr(result, name, getattr(counts, name))
    _add_output(result, last_json(usage))
    if problems := list_problems(case, usage, counts):
        raise BenchmarkError(f"cannot measure case {case.name}: {'; '.join(problems)}")
    if case.state:
        result.state_bytes = state_bytes(case.state)
    case.finish()
    shutil.rmtree(folder, ignore_errors=True)
    return result


def _server_seconds(services: Services) -> tuple[float, float, float, float]:
    """CPU seconds so far of the warehouse, the shim, the sink, and the whole machine."""
    sink = cpu_seconds(services.sink.pid)
    return services.warehouse.seconds(), services.shim.seconds(), sink, machine_seconds()


def _add_output(result: Measurement, output: dict[str, object]) -> None:
    """Add the seconds of the steps from the JSON that `loader load` or `loader plan` prints."""

    def seconds(name: str) -> float | None:
        value = output.get(name)
        return float(value) if isinstance(value, (int, float)) else None

    if result.rows:  # the report of a kept changeset repeats the seconds of its plan
        result.plan_seconds = seconds("plan_seconds") or seconds("seconds")
    result.apply_seconds = seconds("apply_seconds")
    steps = [step for step in (result.plan_seconds, result.apply_seconds) if step is not None]
    result.work_wall = seconds("work_seconds") or (sum(steps) if steps else None)
    result.work_cpu = seconds("work_cpu")


def list_problems(case: Case, usage: Usage, counts: Counts) -> list[str]:
    """The reasons why a run is invalid; empty if it is valid."""
    problems = []
    if usage.code != case.code:
        problems.append(f"exit code {usage.code} instead of {case.code} ({usage.log})")
    if (changes := counts.puts + counts.deletes) != case.items:
        problems.append(f"{changes:,} changes in the sink instead of {case.items:,}")
    if counts.malformed:
        problems.append(f"{counts.malformed:,} malformed requests")
    if case.contents and counts.contents != (expected := case.contents()):
        problems.append(f"the table is not the model: {counts.contents} instead of {expected}")
    return problems


def state_bytes(export: Path) -> int:
    """Bytes of the state that an export has in its folder of the storage."""
    state = json.loads((export / "current.json").read_text())
    return sum((export / part["file"]).stat().st_size for part in state["parts"])
