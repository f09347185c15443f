"""The published results: the JSON documents, the generated blocks of the page, the plot."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import output, page, plot
from benchmarks.errors import BenchmarkError
from benchmarks.measurements import RATIOS, Measurement
from benchmarks.sections import FULL, SECTIONS, Section

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


BEGIN, END = page.markers("bench")


def section(name: str) -> Section:
    return next(section for section in SECTIONS if section.name == name)


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
        "cpu", "wall", "net_cpu", "net_wall", "tuned_cpu", "tuned_wall",
        "write_cpu", "warehouse_cpu", "plan_warehouse_cpu", "worker_memory", "growth",
        "units", "requests", "units_full", "requests_full", "cpu_full", "wall_full",
        "units_usual", "requests_usual", "cpu_usual", "wall_usual",
        "units_tuned", "requests_tuned", "cpu_tuned", "wall_tuned",
        "executors_wall", "executors_net", "executors_plan", "executors_apply",
        "executors_cpu", "executors_tasks",
        "full_cpu_usual", "full_wall_usual", "full_cpu_tuned", "full_wall_tuned",
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


def test_the_summary_has_the_bytes_of_state_per_key() -> None:
    keys = Measurement("keys_full", 0, 1_000, 1_000, state_bytes=27_400)
    assert output.summary([keys]) == ["", "keys_full: 27.4 bytes of state per key", ""]


def test_a_ratio_without_a_limit_has_no_verdict() -> None:
    tuned = Measurement("tuned", 0, 1_000, 100, wall=8.0, cpu=5.0)
    lines = {line.split()[0]: line for line in output.summary([*runs(), tuned]) if line}
    assert lines["tuned_cpu"].split() == ["tuned_cpu", "2", "5", "1/2.5"]
    row = next(r for r in updated([*runs(), tuned]).splitlines() if "tuned_wall" in r)
    assert row.endswith("| 1 | 8 | **1/8.0** |  |")


def updated(measurements: list[Measurement], block: str = "bench") -> str:
    return page.updated("\n".join(page.markers(block)), block, measurements, FACTS)


def test_only_the_part_between_the_markers_changes() -> None:
    before = f"# A\n{BEGIN}\nold\n{END}\nrest\n"
    after = page.updated(before, "bench", runs(), FACTS)
    assert after.startswith(f"# A\n{BEGIN}\n2026-01-31, commit abc, 1,000 rows: P, 2 cores")
    assert after.endswith(f"{END}\nrest\n")
    assert "old" not in after
    assert "Not run: emr, mvn must be installed" in after
    assert "| **1/5.0** (missed) | 1/6.0 |" in after
    assert page.updated(after, "bench", runs(), FACTS) == after


def test_the_page_has_the_jvm_s_cpu_per_purpose() -> None:
    split = [{"compiler": 4.0, "tasks": 6.0}, {"compiler": 5.0, "tasks": 8.0}]
    ours = [replace(runs()[0], jvm_cpu=12.0, jvm_threads=threads) for threads in split]

    assert updated(ours).split("\n\n")[2] == (
        "| JVM CPU s of | compiler | tasks |\n|---|--:|--:|\n| `ours` | 4.5 | 7.0 |"
    )


def test_the_page_has_the_executors_cpu_per_purpose() -> None:
    splits = [{"compiler": 4.0, "python": 6.0}, {"compiler": 5.0, "python": 8.0}]
    ours = [replace(runs()[0], executor_cpu=split) for split in splits]

    assert updated(ours, "cluster").split("\n\n")[2] == (
        "| executors' CPU s of | compiler | python |\n|---|--:|--:|\n| `ours` | 4.5 | 7.0 |"
    )


def test_the_block_of_keys_has_the_bytes_of_state_per_key() -> None:
    keys = Measurement("keys_full", 0, 1_000, 1_000, wall=9.4, cpu=8.0, state_bytes=24_100)

    (row,) = [row for row in updated([keys], "keys").splitlines() if "`keys_full`" in row]

    assert row == "| `keys_full` | 1 | 9.4 | 8 | 0 | 0 | 0 | 1,000 | 24,100 | 24.1 |"


def test_a_section_is_complete_with_all_its_groups_full_sizes_and_enough_pairs() -> None:
    nightly = section("nightly")
    assert nightly.is_complete(["load", "nightly"], FULL, pairs=3)
    assert not nightly.is_complete(["load"], FULL, pairs=3)
    assert not nightly.is_complete(["nightly"], FULL, pairs=2)
    assert not nightly.is_complete(["nightly"], replace(FULL, nightly=1_000), pairs=3)


def test_complete_sections_are_published_and_other_groups_are_kept_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = [line for s in SECTIONS for line in page.markers(s.name)]
    (tmp_path / "page.md").write_text("\n".join(blocks))
    monkeypatch.setattr(output, "RESULTS", tmp_path)
    monkeypatch.setattr(output, "DOCS", tmp_path / "page.md")
    keys = Measurement("keys_full", 0, 1_000, 1_000, state_bytes=24_000)

    written = output.save({"load": runs(), "keys": [keys]}, FACTS, FULL, pairs=1)

    names = ["keys.json", "page.md", "partial.json", "partial.svg"]
    assert [path.name for path in written] == names
    text = (tmp_path / "page.md").read_text()
    assert "`keys_full`" in text
    assert "`ours`" not in text
    assert json.loads((tmp_path / "keys.json").read_text())["rows"] == FULL.keys
    assert json.loads((tmp_path / "keys.json").read_text())["notes"] == {}


def test_every_section_has_its_block_on_the_page() -> None:
    text = output.DOCS.read_text()
    assert [text.count(m) for s in SECTIONS for m in page.markers(s.name)] == [1] * 8


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="bench:begin"):
        page.updated("# A\n", "bench", runs(), FACTS)


def test_the_plot_has_two_bars_per_ratio_within_its_width() -> None:
    tree = ElementTree.fromstring(plot.svg(runs()))  # noqa: S314
    bars = list(tree.iter("{http://www.w3.org/2000/svg}rect"))
    assert [bar.get("class") for bar in bars] == ["ours", "baseline"] * 2
    assert all(float(bar.get("width", "")) <= plot.WIDTH - plot.LEFT for bar in bars)


def test_every_aim_is_below_its_limit() -> None:
    aims = [ratio for ratio in RATIOS if ratio.aim]
    assert all(ratio.at_most and ratio.aim and ratio.aim < ratio.at_most for ratio in aims)


@pytest.mark.parametrize(("value", "text"), [(0.1, "1/10.0"), (1.05, "1.05 ×"), (0.8, "0.80 ×")])
def test_a_small_factor_is_printed_as_a_fraction(value: float, text: str) -> None:
    assert output.factor(value) == text
