"""The published results: the JSON document, the generated part of the page, the plot."""

import json
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import output, page, plot
from benchmarks.errors import BenchmarkError
from benchmarks.measurements import RATIOS, Measurement

FACTS: dict[str, Any] = {
    "machine": {
        "processor": "P",
        "cores": 2,
        "memory_gb": 8.0,
        "system": "Linux 6",
        "python": "3.11",
        "java": "17",
        "pyspark": "4",
        "pyarrow": "25",
        "boto3": "1",
    },
    "date": "2026-01-31",
    "commit": "abc",
    "rows": 1_000,
    "notes": {"emr": "mvn must be installed"},
}


def runs() -> list[Measurement]:
    return [
        Measurement("ours", 0, 1_000, 100, wall=1.0, cpu=2.0),
        Measurement("usual", 0, 1_000, 100, wall=16.0, cpu=10.0),
    ]


def test_the_document_has_the_facts_and_all_ratios() -> None:
    document = json.loads(json.dumps(output.document(runs(), FACTS)))
    assert document["machine"] == FACTS["machine"]
    assert (document["date"], document["commit"]) == ("2026-01-31", "abc")
    assert list(document["ratios"]) == [
        "cpu", "wall", "net_cpu", "net_wall",
        "write_cpu", "warehouse_cpu", "plan_warehouse_cpu", "worker_memory", "growth",
    ]  # fmt: skip
    assert document["ratios"]["cpu"] == 0.2
    assert document["ratios"]["growth"] is None
    assert [case["case"] for case in document["cases"]] == ["ours", "usual"]


def test_the_summary_marks_missed_limits_and_reached_aims() -> None:
    lines = {line.split()[0]: line for line in output.summary(runs()) if line}
    assert "1/5.0" in lines["cpu"]
    assert "MISSED" in lines["cpu"]
    assert "aim reached" in lines["wall"]


def test_the_summary_warns_of_a_busy_machine() -> None:
    disturbed = Measurement("ours", 0, 1, 1, wall=10.0, others_cpu=8.0)
    assert any("0.8 cores" in line for line in output.summary([disturbed]))
    assert not any("DISTURBED" in line for line in output.summary(runs()))


def test_only_the_part_between_the_markers_changes() -> None:
    before = f"# A\n{page.BEGIN}\nold\n{page.END}\nrest\n"
    after = page.updated(before, runs(), FACTS)
    assert after.startswith(f"# A\n{page.BEGIN}\n2026-01-31, commit abc, 1,000 rows: P, 2 cores")
    assert after.endswith(f"{page.END}\nrest\n")
    assert "old" not in after
    assert "Not run: emr, mvn must be installed" in after
    assert "| **1/5.0** (missed) | 1/6.0 |" in after
    assert page.updated(after, runs(), FACTS) == after


def test_the_page_has_the_jvm_s_cpu_per_purpose() -> None:
    split = [{"compiler": 4.0, "tasks": 6.0}, {"compiler": 5.0, "tasks": 8.0}]
    ours = [replace(runs()[0], jvm_cpu=12.0, jvm_threads=threads) for threads in split]

    page_ = page.updated(f"{page.BEGIN}\n{page.END}", ours, FACTS)

    assert page_.split("\n\n")[3] == (
        "| JVM CPU s of | compiler | tasks |\n|---|--:|--:|\n| `ours` | 4.5 | 7.0 |"
    )


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="bench:begin"):
        page.updated("# A\n", runs(), FACTS)


def test_the_plot_has_two_bars_per_ratio_within_its_width() -> None:
    tree = ElementTree.fromstring(plot.svg(runs()))  # noqa: S314
    bars = list(tree.iter("{http://www.w3.org/2000/svg}rect"))
    assert [bar.get("class") for bar in bars] == ["ours", "baseline"] * 2
    assert all(float(bar.get("width", "")) <= plot.WIDTH - plot.LEFT for bar in bars)


def test_every_aim_is_below_its_limit() -> None:
    assert all(ratio.aim is None or ratio.aim < ratio.at_most for ratio in RATIOS)


@pytest.mark.parametrize(("value", "text"), [(0.1, "1/10.0"), (1.05, "1.05 ×"), (0.8, "0.80 ×")])
def test_a_small_factor_is_printed_as_a_fraction(value: float, text: str) -> None:
    assert output.factor(value) == text
