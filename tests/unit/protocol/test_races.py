"""Races between runs, each with its name: the loader's own files, and a driver step by step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.protocol_files import LoaderFiles
from tests.support.protocol_model import LOCK_SECONDS, Driver, Steps, World

MODEL = {"a": "1", "b": "1", "c": "1", "d": "1"}
CHANGED = {"a": "2", "b": "2", "d": "1", "e": "2"}  # c has left


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A table that a load has filled; since then the model has changed."""
    world = World(LoaderFiles(tmp_path), model=dict(MODEL))
    assert run(world, Driver.load) == "complete"
    world.model = dict(CHANGED)
    return world


def run(world: World, verb: Callable[[Driver], Steps]) -> str:
    return end(world, world.start(verb))


def end(world: World, driver: Driver) -> str:
    """Let a driver and its tasks run to their end."""
    until(world, driver, lambda: not driver.alive)
    return driver.result


def until(world: World, driver: Driver, condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        driver.step()
        for task in driver.tasks:
            task.step()
        arrive_all(world)
        world.pass_time(1)
    raise AssertionError("the condition is false after 500 steps")


def arrive_all(world: World) -> None:
    for request in list(world.in_flight):
        world.arrive(request)


def writing(world: World, verb: Callable[[Driver], Steps] = Driver.load) -> Driver:
    """A driver that has begun, and has written one change."""
    driver, before = world.start(verb), dict(world.table)
    until(world, driver, lambda: world.table != before)
    return driver


def about_to_commit(world: World) -> Driver:
    driver = world.start(Driver.load)
    until(world, driver, lambda: bool(driver.tasks) and all(t.outcome for t in driver.tasks))
    driver.step()  # it has looked at its lock
    return driver


def expire(world: World) -> None:
    world.pass_time(LOCK_SECONDS + 1)


def test_a_load_after_a_crash_writes_what_the_dead_run_did_not(world: World) -> None:
    writing(world).kill(with_tasks=True)
    expire(world)

    assert run(world, Driver.load) == "complete"
    assert world.table == CHANGED


def test_a_key_in_doubt_is_put_again_though_the_model_went_back(world: World) -> None:
    writing(world).kill(with_tasks=True)
    expire(world)
    world.model = dict(MODEL)

    assert run(world, Driver.load) == "complete"
    assert world.table == MODEL


def test_a_key_that_a_dead_run_has_put_is_deleted_when_it_has_left_the_model(
    tmp_path: Path,
) -> None:
    world = World(LoaderFiles(tmp_path), model=dict(MODEL))
    writing(world).kill(with_tasks=True)
    expire(world)
    assert world.table
    world.model = {"e": "1"}

    assert run(world, Driver.load) == "complete"
    assert world.table == {"e": "1"}


def test_a_resumed_run_sends_only_the_slices_that_did_not_end(world: World) -> None:
    driver = world.start(Driver.load)
    until(world, driver, lambda: any(task.outcome for task in driver.tasks))
    driver.kill(with_tasks=True)
    ended = {task.number for task in driver.tasks if task.outcome}
    expire(world)

    resumed = world.start(Driver.resume)

    assert end(world, resumed) == "complete"
    assert not ended & {task.number for task in resumed.tasks}
    assert world.table == CHANGED


def test_a_commit_that_landed_before_its_driver_died_is_not_done_again(world: World) -> None:
    driver = about_to_commit(world)
    driver.step()
    driver.kill(with_tasks=True)
    expire(world)

    assert run(world, Driver.resume) == "refused"
    loaded = world.start(Driver.load)
    assert end(world, loaded) == "complete"
    assert loaded.tasks == []
    assert world.table == CHANGED


def test_a_paused_driver_cannot_commit_after_another_run_has_begun(world: World) -> None:
    paused = about_to_commit(world)
    paused.paused = True
    expire(world)
    world.model = {"a": "3"}
    second = writing(world)

    paused.paused = False
    assert end(world, paused) == "failed"
    second.kill(with_tasks=True)
    expire(world)

    assert run(world, Driver.load) == "complete"
    assert world.table == {"a": "3"}


def test_a_paused_driver_cannot_begin_after_another_run_has_begun(world: World) -> None:
    paused = world.start(Driver.load)
    until(world, paused, lambda: len(world.plans) > 1)
    paused.paused = True
    expire(world)
    world.model = {"a": "3"}
    second = writing(world)

    paused.paused = False
    assert end(world, paused) in ("refused", "failed")
    assert paused.tasks == []
    assert end(world, second) == "complete"
    assert world.table == {"a": "3"}


def test_the_workers_of_a_dead_driver_stop_before_the_next_run_writes(world: World) -> None:
    driver = writing(world)
    driver.kill(with_tasks=False)
    world.model = {"a": "3"}
    second = world.start(Driver.load)
    before = second.tasks

    while second.alive:
        second.step()
        for task in [*driver.tasks, *second.tasks]:
            task.step()
        assert not (second.tasks is not before and any(t.alive for t in driver.tasks))
        arrive_all(world)
        world.pass_time(1)

    assert second.result == "complete"
    assert world.table == {"a": "3"}


def test_an_old_plan_is_refused_after_another_run_was_committed(world: World) -> None:
    run(world, Driver.plan)
    old = world.plans[-1]
    world.model = {"a": "3"}
    assert run(world, Driver.load) == "complete"

    assert run(world, lambda driver: driver.apply(old)) == "refused"
    assert world.table == {"a": "3"}


def test_an_old_plan_is_refused_after_another_run_has_begun(world: World) -> None:
    run(world, Driver.plan)
    old = world.plans[-1]
    writing(world).kill(with_tasks=True)
    expire(world)

    assert run(world, lambda driver: driver.apply(old)) == "refused"
    assert run(world, Driver.load) == "complete"
    assert world.table == CHANGED


def test_a_plan_is_refused_for_a_table_that_was_created_again(world: World) -> None:
    run(world, Driver.plan)
    old = world.plans[-1]
    world.new_table()

    assert run(world, lambda driver: driver.apply(old)) == "refused"
    assert world.table == {}


def test_a_load_into_a_table_that_was_created_again_after_a_crash_puts_everything(
    world: World,
) -> None:
    about_to_commit(world).kill(with_tasks=True)
    expire(world)
    world.new_table()

    assert run(world, Driver.load) == "complete"
    assert world.table == CHANGED


def test_the_second_of_two_loads_at_once_is_refused(world: World) -> None:
    first, second = writing(world), world.start(Driver.load)

    assert end(world, second) == "refused"
    assert end(world, first) == "complete"
    assert world.table == CHANGED


def test_a_run_that_died_after_the_run_that_it_continued_is_laid_over_it(world: World) -> None:
    about_to_commit(world).kill(with_tasks=True)
    expire(world)
    world.model = {**CHANGED, "a": "3", "b": "3"}
    about_to_commit(world).kill(with_tasks=True)
    expire(world)
    world.model = dict(CHANGED)

    assert run(world, Driver.load) == "complete"
    assert world.table == CHANGED


def test_only_the_last_of_two_dead_runs_is_resumed(world: World) -> None:
    writing(world).kill(with_tasks=True)
    first = world.plans[-1]
    expire(world)
    world.model = {"a": "3"}
    writing(world).kill(with_tasks=True)
    expire(world)

    assert run(world, lambda driver: driver.apply(first)) == "refused"
    assert run(world, Driver.resume) == "complete"
    assert world.table == {"a": "3"}


def test_an_item_that_the_table_rejects_keeps_its_old_item_and_state(world: World) -> None:
    world.invalid = {"a"}
    assert run(world, Driver.load) == "complete"
    assert world.table == {**CHANGED, "a": "1"}
    world.invalid = set()
    world.model = {**CHANGED, "a": "1"}

    loaded = world.start(Driver.load)
    assert end(world, loaded) == "complete"
    assert loaded.tasks == []
    del world.model["a"]
    assert run(world, Driver.load) == "complete"
    assert world.table == world.model


def test_a_rejected_item_of_a_run_that_died_is_put_again(world: World) -> None:
    world.invalid = {"a"}
    about_to_commit(world).kill(with_tasks=True)
    expire(world)
    world.invalid = set()

    assert run(world, Driver.load) == "complete"
    assert world.table == CHANGED


def test_changes_that_were_not_sent_are_sent_by_the_next_load(world: World) -> None:
    driver = writing(world)
    for task in driver.tasks:
        task.gives_up = True
    assert end(world, driver) == "failed"

    assert run(world, Driver.load) == "complete"
    assert world.table == CHANGED


def test_changes_that_were_not_sent_are_sent_by_resume(world: World) -> None:
    driver = writing(world)
    for task in driver.tasks:
        task.gives_up = True
    assert end(world, driver) == "failed"

    assert run(world, Driver.resume) == "complete"
    assert world.table == CHANGED


def test_a_key_whose_item_the_plan_rejects_is_not_deleted(world: World) -> None:
    world.oversized = {"a"}
    assert run(world, Driver.load) == "complete"
    assert world.table == {**CHANGED, "a": "1"}
    del world.model["a"]

    assert run(world, Driver.load) == "complete"
    assert world.table == world.model


def test_a_deleted_state_deletes_nothing_though_old_runs_are_there(world: World) -> None:
    writing(world).kill(with_tasks=True)
    expire(world)
    world.files.delete_state()
    world.model = {"a": "3"}
    before = set(world.table)

    assert run(world, Driver.load) == "complete"
    assert world.table.keys() == before | {"a"}
    assert world.table["a"] == "3"


def test_a_task_that_spark_runs_twice_writes_the_same(world: World) -> None:
    driver = writing(world)
    driver.retry(0)

    assert end(world, driver) == "complete"
    world.model = {"a": "3"}
    assert run(world, Driver.load) == "complete"
    for task in world.tasks:
        for _ in range(20):
            task.step()
    arrive_all(world)
    assert world.table == {"a": "3"}
