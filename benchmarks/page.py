"""The generated blocks of docs/performance.md, each between two markers."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.measurements import (
    RATIOS,
    Measurement,
    disturbance,
    medians,
    of_pairs,
    pairs,
    ratios,
)

COLUMNS = {
    "wall": "wall s",
    "cpu": "CPU s",
    "jvm_cpu": "JVM",
    "driver_cpu": "driver",
    "worker_cpu": "workers",
    "warehouse_cpu": "warehouse CPU s",
    "jvm_mb": "JVM MB",
    "worker_mb": "worker MB",
    "requests": "requests",
    "units": "write units",
    "items": "changes",
}
# The columns of the block `keys`; `bytes_per_key` is not measured but computed.
KEY_COLUMNS = {
    "wall": "wall s",
    "cpu": "CPU s",
    "jvm_mb": "JVM MB",
    "worker_mb": "worker MB",
    "requests": "requests",
    "items": "changes",
    "state_bytes": "bytes of state",
    "bytes_per_key": "per key",
}


HEAD_ROWS = 2


def markers(block: str) -> tuple[str, str]:
    return f"<!-- {block}:begin -->", f"<!-- {block}:end -->"


def updated(
    page: str, block: str, measurements: Sequence[Measurement], facts: dict[str, Any]
) -> str:
    """The page with a block replaced."""
    first, last = markers(block)
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise BenchmarkError(
            f"docs/performance.md must have {first} and {last}, got no such pair: add them"
        )
    notes = [f"Not run: {name}, {why}" for name, why in facts["notes"].items()]
    notes += disturbance(measurements)
    parts = [_machine(facts)]
    for table in (
        _ratios(measurements),
        _cases(measurements, block),
        _split("JVM CPU s of", [(m.case, m.jvm_threads) for m in measurements if m.jvm_cpu]),
        _split("executors' CPU s of", [(m.case, m.executor_cpu) for m in measurements]),
    ):
        parts += ["", *table] if table else []
    parts += [line for note in notes for line in ("", note)]
    return f"{before}{first}\n" + "\n".join(parts) + f"\n{last}{after}"


def _machine(facts: dict[str, Any]) -> str:
    machine = facts["machine"]
    return (
        f"{facts['date']}, commit {facts['commit']}, {facts['rows']:,} rows: "
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB, "
        f"{machine['system']}, Python {machine['python']}, Java {machine['java']}, "
        f"pyspark {machine['pyspark']}, pyarrow {machine['pyarrow']}, "
        f"boto3 {machine['boto3']}."
    )


def factor(value: float) -> str:
    return f"1/{1 / value:.1f}" if value < 0.8 else f"{value:.2f}"


def _ratios(measurements: Sequence[Measurement]) -> list[str]:
    medians_, rounds = ratios(measurements), pairs(measurements)
    rows = [
        "| ratio | what | ours | baseline | ratio | must be at most |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for ratio in RATIOS:
        value = medians_[ratio.name]
        if value is not None:
            ours, baseline = (median(of_pairs(v, rounds)) for v in (ratio.ours, ratio.baseline))
            missed = " (missed)" if ratio.at_most and value > ratio.at_most else ""
            limit = factor(ratio.at_most) if ratio.at_most else ""
            rows.append(
                f"| `{ratio.name}` | {ratio.title} | {_number(ours)} | {_number(baseline)} "
                f"| **{factor(value)}**{missed} | {limit} |"
            )
    return rows if len(rows) > HEAD_ROWS else []


def _cases(measurements: Sequence[Measurement], block: str) -> list[str]:
    columns = KEY_COLUMNS if block == "keys" else COLUMNS
    values = {name: medians(measurements, name) for name in columns}
    runs = {case: sum(m.case == case for m in measurements) for case in values["wall"]}
    rows = [
        f"| case | runs | {' | '.join(columns.values())} |",
        "|---|" + "--:|" * (len(columns) + 1),
    ]
    for case, count in runs.items():
        cells = [_cell(values[name].get(case)) for name in columns]
        rows.append(f"| `{case}` | {count} | {' | '.join(cells)} |")
    return rows


def _split(title: str, seconds: Sequence[tuple[str, dict[str, float]]]) -> list[str]:
    """The median CPU seconds per purpose of each case; no lines if no case has any."""
    runs: dict[str, list[dict[str, float]]] = {}
    for case, split in seconds:
        if split:
            runs.setdefault(case, []).append(split)
    purposes = list(
        dict.fromkeys(name for splits in runs.values() for split in splits for name in split)
    )
    if not purposes:
        return []
    rows = [f"| {title} | {' | '.join(purposes)} |", "|---|" + "--:|" * len(purposes)]
    for case, splits in runs.items():
        cells = [f"{median(split[name] for split in splits):.1f}" for name in purposes]
        rows.append(f"| `{case}` | {' | '.join(cells)} |")
    return rows


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
