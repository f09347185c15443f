"""The output of a run: lines on the terminal, JSON, a plot, and the page in docs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import page, plot
from benchmarks.cases import Sizes
from benchmarks.measurements import RATIOS, Measurement, disturbance, of_pairs, pairs, ratios
from benchmarks.sections import SECTIONS
from sandbox.settings import REPOSITORY

RESULTS = Path(__file__).with_name("results")
DOCS = REPOSITORY / "docs" / "performance.md"


def heading() -> list[str]:
    """The column headings of `line`."""
    head = f"{'case':<13} {'wall':>7} {'CPU':>7} {'JVM':>7} {'driver':>7} {'workers':>7}"
    rest = f"{'plan':>6} {'apply':>6} {'pg':>6} {'shim':>6} {'JVM MB':>7} {'worker':>7}"
    writes = f"{'changes':>9} {'requests':>8} {'units':>9}"
    return ["", f"{head} {rest} {writes} {'others':>6}"]


def line(m: Measurement) -> str:
    """One measurement: seconds, megabytes, what was written."""

    def step(value: float | None) -> str:
        return f"{value:6.1f}" if value is not None else f"{'':>6}"

    return (
        f"{m.case:<13} {m.wall:7.1f} {m.cpu:7.1f} {m.jvm_cpu:7.1f} {m.driver_cpu:7.1f} "
        f"{m.worker_cpu:7.1f} {step(m.plan_seconds)} {step(m.apply_seconds)} "
        f"{m.warehouse_cpu:6.1f} {m.shim_cpu:6.1f} {m.jvm_mb:7,.0f} {m.worker_mb:7,.0f} "
        f"{m.items:9,} {m.requests:8,} {m.units:9,} {m.others_cpu:6.1f}"
    )


def factor(value: float) -> str:
    """Format 0.1 as 1/10.0 and 1.05 as 1.05 ×."""
    return f"1/{1 / value:.1f}" if value < 0.8 else f"{value:.2f} ×"


def _optional(value: float | None) -> str:
    return factor(value) if value else ""


def summary(measurements: Sequence[Measurement]) -> list[str]:
    """The ratios with their limits and spread over the pairs, and the bytes of state per key."""
    rows = [
        f"{m.case}: {m.bytes_per_key:.1f} bytes of state per key"
        for m in measurements
        if m.bytes_per_key is not None
    ]
    return ["", *_ratios(measurements), *rows, *disturbance(measurements), ""]


def _ratios(measurements: Sequence[Measurement]) -> list[str]:
    medians, rounds = ratios(measurements), pairs(measurements)
    rows = [f"{'ratio':<14} {'ours':>9} {'baseline':>9} {'ratio':>8} {'at most':>8} {'aim':>7}"]
    for ratio in RATIOS:
        value = medians[ratio.name]
        if value is None:
            continue
        values = of_pairs(lambda p, r=ratio: r.ours(p) / r.baseline(p), rounds)  # type: ignore[misc]
        spread = f"{factor(min(values))} to {factor(max(values))}" if len(values) > 1 else ""
        verdict = ""
        if ratio.at_most:
            verdict = "ok" if value <= ratio.at_most else "MISSED"
        if ratio.aim and value <= ratio.aim:
            verdict = "aim reached"
        rows.append(
            f"{ratio.name:<14} {median(of_pairs(ratio.ours, rounds)):>9.3g} "
            f"{median(of_pairs(ratio.baseline, rounds)):>9.3g} {factor(value):>8} "
            f"{_optional(ratio.at_most):>8} {_optional(ratio.aim):>7}  "
            f"{verdict:<12} {spread}".rstrip()
        )
    return rows if len(rows) > 1 else []


def document(measurements: Sequence[Measurement], facts: dict[str, Any]) -> dict[str, Any]:
    """The content of a JSON file of results."""
    return {
        **facts,
        "ratios": ratios(measurements),
        "targets": {r.name: {"at_most": r.at_most, "aim": r.aim} for r in RATIOS},
        "cases": [asdict(measurement) for measurement in measurements],
    }


def save(
    results: Mapping[str, Sequence[Measurement]], facts: dict[str, Any], sizes: Sizes, pairs: int
) -> list[Path]:
    """Write the results of each group. Only a complete section replaces published numbers."""
    RESULTS.mkdir(exist_ok=True)
    written: list[Path] = []
    partial = dict(results)
    for section in SECTIONS:
        if not section.is_complete(results, sizes, pairs):
            continue
        names = [name for name in (*section.groups, *section.optional) if name in partial]
        measurements = [m for name in names for m in partial.pop(name)]
        own = {
            "rows": {"keys": sizes.keys, "cluster": sizes.cluster}.get(section.name, sizes.rows),
            "notes": {n: why for n, why in facts["notes"].items() if n in section.optional},
        }
        written += _save(section.file, measurements, facts | own, section.name)
    if measurements := [m for group in partial.values() for m in group]:
        written += _save("partial", measurements, facts | {"rows": sizes.rows})
    return list(dict.fromkeys(written))


def _save(
    name: str, measurements: Sequence[Measurement], facts: dict[str, Any], block: str | None = None
) -> list[Path]:
    """Write a result file, its plot if there are ratios, and a block of the page."""
    result = document(measurements, facts)
    files = {RESULTS / f"{name}.json": json.dumps(result, indent=1) + "\n"}
    if any(value is not None for value in result["ratios"].values()):
        files[RESULTS / f"{name}.svg"] = plot.svg(measurements)
    if block:
        text = DOCS.read_text(encoding="utf-8")
        files[DOCS] = page.updated(text, block, measurements, facts)
    for path, content in files.items():
        path.write_text(content, encoding="utf-8")
    return list(files)
