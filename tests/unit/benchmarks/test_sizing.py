"""The sizing rule of docs/performance.md: against a simulation, and against the measurements."""

import json
from math import inf
from statistics import median

import pytest

from benchmarks import sizing
from benchmarks.output import RESULTS
from benchmarks.sizing import Cluster, Load
from tests.support.cluster_simulation import simulated_apply, simulated_plan
from tests.support.repository import REPOSITORY

# Below, a few tasks of a tenth of a second decide.
LEAST_SECONDS = 5.0
CLUSTERS = [Cluster(e, c, q, 300) for e in (1, 2, 10, 100) for c in (1, 4) for q in (8, 100)]
LOADS = [
    Load(rows, rows // per_item, rows // per_item * units, allowed)
    for rows in (10**6, 10**8, 10**9)
    for per_item, units in ((1, 1), (10, 1), (10, 4))
    for allowed in (1_000.0, 40_000.0, inf)
]


@pytest.mark.parametrize("cluster", CLUSTERS, ids=str)
def test_the_rule_predicts_a_simulated_load_of_up_to_a_billion_rows(cluster: Cluster) -> None:
    wrong = {}
    for seed, load in enumerate(LOADS):
        for rule, simulated in (
            (sizing.plan_seconds, simulated_plan),
            (sizing.apply_seconds, simulated_apply),
        ):
            expected, seconds = rule(load, cluster), simulated(load, cluster, seed)
            if not 0.85 <= max(seconds, LEAST_SECONDS) / max(expected, LEAST_SECONDS) <= 1.2:
                wrong[rule.__name__, load] = (expected, seconds)

    assert wrong == {}


def test_more_cores_than_queries_do_not_shorten_a_plan_and_as_many_do() -> None:
    load = Load(10**8, 10**7, 10**7)
    seconds = [round(sizing.plan_seconds(load, Cluster(n, 1, 8, 240)), 3) for n in (1, 2, 4, 8, 16)]

    assert seconds == [210.8, 105.4, 52.7, 26.35, 26.35]


def test_the_table_and_not_the_cluster_limits_a_write_at_the_quota_of_an_account() -> None:
    load = Load(10**8, 10**7, 10**7, allowed=40_000)

    assert [sizing.apply_seconds(load, Cluster(n, 1)) for n in (2, 4, 100)] == [250.4] * 3


def test_partitions_keep_the_memory_of_a_worker_below_a_limit() -> None:
    most = [sizing.worker_mb(n, sizing.partitions_for(n)) for n in (1, 10**6, 10**8, 10**9)]

    assert max(most) <= sizing.WORKER_MB + sizing.KEYS_MB


def test_the_costs_of_the_rule_are_at_least_those_measured() -> None:
    """A tenth may be missing: the benchmarks do not repeat more exactly."""

    def measured(file: str, case: str, value: str) -> float:
        runs = json.loads((RESULTS / f"{file}.json").read_text())["cases"]
        return float(median(run[value] for run in runs if run["case"] == case))

    start = measured("latest", "ours_start", "cpu")
    rows, items = (measured("latest", "grown", value) for value in ("rows", "items"))
    write = measured("latest", "apply", "cpu") - measured("latest", "apply_start", "cpu")
    write /= measured("latest", "apply", "items") - measured("latest", "apply_start", "items")
    read = (measured("latest", "grown", "cpu") - start - items * write) / rows
    keys = measured("keys", "keys_moved", "rows") / sizing.PARTITIONS
    memory = measured("latest", "grown", "worker_mb")
    per_key = (measured("keys", "keys_moved", "worker_mb") - memory) * 2**20 / keys

    assert {
        "read": 0.9 * read <= sizing.READ_CPU,
        "write": 0.9 * write <= sizing.WRITE_CPU,
        "worker": 0.9 * memory <= sizing.WORKER_MB,
        "key": 0.9 * per_key <= sizing.KEY_BYTES,
    } == dict.fromkeys(("read", "write", "worker", "key"), True)


def test_the_table_of_the_page_is_up_to_date() -> None:
    page = (REPOSITORY / "docs" / "performance.md").read_text()

    assert sizing.updated(page) == page
