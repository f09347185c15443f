import pytest

from loader import machine
from loader.settings import Settings
from loader.spark.memory import HEAP, MB, OFF_HEAP, memory_problem, memory_settings


@pytest.mark.parametrize(
    ("slots", "memory", "heap", "off_heap"),
    [
        (4, 64_000, "2048m", "1024m"),
        (4, 4608, "2048m", "1024m"),
        (16, 8192, "2048m", "1024m"),
        (4, 2048, "928m", "336m"),
        (4, 1024, "512m", "128m"),
        (16, 2048, "512m", "128m"),
    ],
)
def test_the_memory_that_is_there_is_divided(
    slots: int, memory: int, heap: str, off_heap: str
) -> None:
    assert memory_settings(slots, memory * MB) == {HEAP: heap, OFF_HEAP: off_heap}


def test_too_little_memory_is_a_problem_unless_the_user_divides_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "memory", lambda: 700 * MB)

    assert memory_problem({}) == (
        "memory of this machine or container must be at least 1024 MB, got 700: give it more, or "
        "set --spark-conf spark.driver.memory and spark.memory.offHeap.size"
    )
    assert memory_problem({HEAP: "450m"}) is None


@pytest.mark.parametrize(
    ("cpus", "memory", "queries", "slots"),
    [
        (2, 64_000, 2, 4),
        (64, 64_000, 8, 128),
        (1, 64_000, 1, 2),
        (64, 2048, 8, 14),
        (64, 900, 4, 4),
    ],
)
def test_queries_and_slots_follow_the_cpus_and_the_memory(
    monkeypatch: pytest.MonkeyPatch, cpus: int, memory: int, queries: int, slots: int
) -> None:
    monkeypatch.setattr(machine, "cpus", lambda: cpus)
    monkeypatch.setattr(machine, "memory", lambda: memory * MB)

    assert (Settings().local_queries, Settings().local_slots) == (queries, slots)
    many = Settings(queries=20)
    assert (many.local_queries, many.local_slots) == (20, max(20, slots))
