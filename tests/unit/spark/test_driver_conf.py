from typing import Any

import pytest
from py4j.protocol import Py4JNetworkError

from loader import machine
from loader.settings import Settings
from loader.spark.driver_conf import DriverConf, conf_of, driver_conf


class EndedSession:
    def __init__(self, error: Exception) -> None:
        self.error = error

    @property
    def sparkContext(self) -> Any:  # noqa: N802 Spark's name
        raise self.error


@pytest.mark.parametrize("error", [ConnectionRefusedError(111), Py4JNetworkError("gone")])
def test_a_jvm_that_has_ended_has_no_properties_and_leaves_the_message_to_the_next_job(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "cpus", lambda: 2)
    session: Any = EndedSession(error)

    assert driver_conf(session) == DriverConf({}, 2, 2)


YARN, STANDALONE = "yarn", "spark://m:7077"
DYNAMIC = {"spark.dynamicAllocation.enabled": "true"}
FOUR_CORES = {"spark.executor.cores": "4"}


@pytest.mark.parametrize(
    ("master", "properties", "registered", "slots", "most"),
    [
        ("local[3]", {}, [3], 3, 3),
        ("local[3]", {"spark.executor.instances": "9"}, [3], 3, 3),
        # All cores of all machines; another one may come.
        (STANDALONE, {}, [8, 8], 16, None),
        (STANDALONE, {}, [], 1, None),
        (STANDALONE, {"spark.cores.max": "6"}, [4, 2], 6, 6),
        (STANDALONE, {"spark.cores.max": "600"}, [4, 2], 6, 600),
        (STANDALONE, {**DYNAMIC, "spark.cores.max": "6"}, [2], 6, 6),
        # Half of the cores per task.
        (YARN, {**FOUR_CORES, "spark.task.cpus": "2", "spark.executor.instances": "5"}, [], 10, 10),
        (YARN, {}, [1], 2, 2),
        (YARN, FOUR_CORES, [4, 4, 4], 12, 12),
        ("k8s://https://api", {**FOUR_CORES, "spark.executor.instances": "3"}, [4], 12, 12),
        (
            YARN,
            {**DYNAMIC, **FOUR_CORES, "spark.dynamicAllocation.maxExecutors": "20"},
            [4],
            80,
            80,
        ),
        (YARN, {**DYNAMIC, **FOUR_CORES, "spark.executor.instances": "2"}, [4], 64, None),
        (YARN, {**DYNAMIC, "spark.dynamicAllocation.maxExecutors": "2147483647"}, [1], 64, None),
        (YARN, DYNAMIC, [40, 40], 80, None),
        (YARN, {"spark.dynamicAllocation.enabled": "True"}, [], 64, None),
    ],
)
def test_the_slots_are_those_of_the_executors_that_the_cluster_has_or_will_start(
    master: str, properties: dict[str, str], registered: list[int], slots: int, most: int | None
) -> None:
    properties = {"spark.master": master, **properties}

    assert conf_of(properties, registered) == DriverConf(properties, slots, most)


@pytest.mark.parametrize(("most", "running"), [(None, 100), (16, 16), (1000, 100)])
def test_all_tasks_may_run_at_the_same_time_where_the_slots_have_no_maximum(
    most: int | None, running: int
) -> None:
    assert DriverConf({}, 4, most).running_tasks(100) == running


@pytest.mark.parametrize(
    ("master", "given", "slots", "queries"),
    [
        ("yarn", None, 3, 3),
        ("yarn", None, 500, 8),
        ("yarn", 20, 3, 20),
        ("local[4]", None, 4, 2),
        ("local[4]", 20, 4, 20),
    ],
)
def test_the_default_of_the_queries_is_at_most_8_and_leaves_no_query_without_a_slot(
    monkeypatch: pytest.MonkeyPatch, master: str, given: int | None, slots: int, queries: int
) -> None:
    monkeypatch.setattr(machine, "cpus", lambda: 2)
    conf = DriverConf({"spark.master": master}, slots, None)

    assert conf.queries(Settings(queries=given)) == queries
