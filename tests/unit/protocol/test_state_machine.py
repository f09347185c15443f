"""Any crash, at any moment, in any order: a state machine over the loader's own files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.protocol_files import LoaderFiles
from tests.support.protocol_model import (
    Change,
    Digests,
    Driver,
    Steps,
    Task,
    World,
)

KEYS = st.sampled_from("abcde")
ITEMS = st.sampled_from(["1", "2", "3"])
INDEX = st.integers(0, 5)
FOREIGN = "foreign"
STEPS = 400
Verb = Callable[[Driver], Steps]
VERBS = st.sampled_from([Driver.load, Driver.load, Driver.resume])


class Protocol(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(LoaderFiles(Path(self.folder.name)))

    # ---- the world around the loader

    @initialize(foreign=st.sets(KEYS), loaded=st.booleans())
    def begin(self, foreign: set[str], loaded: bool) -> None:
        self.world.foreign = dict.fromkeys(foreign, FOREIGN)
        self.world.table = dict(self.world.foreign)
        if loaded:
            self.world.model = dict.fromkeys("abcd", "1")
            self._run(Driver.load)

    @rule(rows=st.dictionaries(KEYS, ITEMS))
    def replace_model(self, rows: dict[str, str]) -> None:
        self.world.model = rows

    @rule(key=KEYS, item=ITEMS)
    def put_row(self, key: str, item: str) -> None:
        self.world.model[key] = item

    @rule(key=KEYS)
    def remove_row(self, key: str) -> None:
        self.world.model.pop(key, None)

    @rule(key=KEYS)
    def toggle_oversized(self, key: str) -> None:
        self.world.oversized ^= {key}

    @rule(key=KEYS)
    def write_foreign_item(self, key: str) -> None:
        begun = {key for plan in self.world.plans for key in self._keys(plan.slices)}
        if key not in self.world.table and key not in begun and key not in self._known():
            self.world.table[key] = self.world.foreign[key] = FOREIGN

    @rule()
    def create_table_again(self) -> None:
        self.world.new_table()

    @rule()
    def delete_state(self) -> None:
        """Nothing may run meanwhile; what the table holds is then nobody's."""
        self._end_all()
        self.world.files.delete_state()
        self.world.table = dict.fromkeys(self.world.table, FOREIGN)
        self.world.foreign = dict(self.world.table)

    # ---- the verbs

    @rule()
    def load(self) -> None:
        self.world.start(Driver.load)

    @rule()
    def plan(self) -> None:
        self.world.start(Driver.plan)

    @rule()
    def resume(self) -> None:
        self.world.start(Driver.resume)

    @precondition(lambda self: self.world.plans)
    @rule(index=INDEX)
    def apply(self, index: int) -> None:
        plans = self.world.plans
        plan = plans[-1 - index % len(plans)]
        self.world.start(lambda driver: driver.apply(plan))

    # ---- what happens in between

    @rule(
        verb=VERBS,
        rounds=st.integers(10, 60),
        dead=st.booleans(),
        invalid=st.sets(KEYS, max_size=1),
    )
    def begin_run(self, verb: Verb, rounds: int, dead: bool, invalid: set[str]) -> None:
        """A run that some time has passed for, with a dead endpoint or an invalid item."""
        self.world.invalid = invalid
        driver = self.world.start(verb)
        for count in range(rounds):
            self._round(driver)
            if dead and driver.tasks and count % 2:
                driver.tasks[-1].gives_up = True

    @precondition(lambda self: self._live_tasks())
    @rule(index=INDEX)
    def storage_is_out_of_reach(self, index: int) -> None:
        tasks = self._live_tasks()
        task = tasks[index % len(tasks)]
        task.blind = not task.blind

    @precondition(lambda self: self._live())
    @rule(index=INDEX, steps=st.integers(1, 12))
    def step(self, index: int, steps: int) -> None:
        for _ in range(steps):
            self._pick(index).step() if self._live() else None

    @precondition(lambda self: self._live())
    @rule(index=INDEX)
    def run_to_end(self, index: int) -> None:
        self._finish(self._pick(index))

    @precondition(lambda self: self._live_tasks())
    @rule(index=INDEX, steps=st.integers(1, 6))
    def step_task(self, index: int, steps: int) -> None:
        for _ in range(steps):
            if tasks := self._live_tasks():
                tasks[index % len(tasks)].step()

    @precondition(lambda self: self.world.in_flight)
    @rule(index=INDEX)
    def arrive(self, index: int) -> None:
        requests = self.world.in_flight
        self.world.arrive(requests[index % len(requests)])

    @precondition(lambda self: self._live())
    @rule(index=INDEX, with_tasks=st.booleans())
    def kill_driver(self, index: int, with_tasks: bool) -> None:
        self._pick(index).kill(with_tasks)

    @precondition(lambda self: self._live())
    @rule(index=INDEX)
    def pause_or_continue(self, index: int) -> None:
        driver = self._pick(index)
        driver.paused = not driver.paused

    @precondition(lambda self: self._live_tasks())
    @rule(index=INDEX)
    def kill_task(self, index: int) -> None:
        tasks = self._live_tasks()
        tasks[index % len(tasks)].alive = False

    @precondition(lambda self: self._live_tasks())
    @rule(index=INDEX)
    def lose_executor(self, index: int) -> None:
        drivers = [driver for driver in self._live() if driver.tasks]
        if drivers:
            driver = drivers[index % len(drivers)]
            driver.retry(index % len(driver.tasks))

    @precondition(lambda self: self._live_tasks())
    @rule(index=INDEX)
    def endpoint_dies(self, index: int) -> None:
        tasks = self._live_tasks()
        tasks[index % len(tasks)].gives_up = True

    @rule(seconds=st.sampled_from([1, 2, 5, 12, 61]))
    def pass_time(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule()
    def load_without_faults(self) -> None:
        self._end_all()
        self._check_state()
        before = (set(self.world.oversized), set(self.world.invalid))
        self.world.oversized, self.world.invalid = set(), set()
        driver = self._run(Driver.load)
        assert driver.result == "complete"
        ours = {key: item for key, item in self.world.table.items() if item != FOREIGN}
        assert ours == self.world.model
        self.world.oversized, self.world.invalid = before

    def teardown(self) -> None:
        self.load_without_faults()
        self.folder.cleanup()

    # ---- what is always true

    @invariant()
    def no_foreign_item_is_changed(self) -> None:
        for key, item in self.world.foreign.items():
            assert self.world.table.get(key) == item

    def _check_state(self) -> None:
        """Each key that is not in doubt is in the table as the state has it, or not at all."""
        known, table = self._known(), self.world.table
        for key in {*known, *table}:
            digest = known.get(key, "absent")
            if digest == "absent":
                assert table.get(key, FOREIGN) == FOREIGN, key
            elif digest is not None:
                assert table.get(key) == digest, key

    def _known(self) -> Digests:
        return self.world.files.digests(self.world.files.known(self.world.identity))

    @staticmethod
    def _keys(slices: tuple[tuple[Change, ...], ...]) -> set[str]:
        return {change.key for changes in slices for change in changes}

    def _live(self) -> list[Driver]:
        return [driver for driver in self.world.drivers if driver.alive]

    def _live_tasks(self) -> list[Task]:
        return [task for task in self.world.tasks if task.alive]

    def _pick(self, index: int) -> Driver:
        live = self._live()
        return live[index % len(live)]

    def _run(self, verb: Verb) -> Driver:
        return self._finish(self.world.start(verb))

    def _finish(self, driver: Driver) -> Driver:
        """Let a driver and its tasks run, while time passes, to its end."""
        for _ in range(STEPS):
            if not driver.alive or driver.paused or any(task.blind for task in driver.tasks):
                return driver
            self._round(driver)
        raise AssertionError("the run does not end")

    def _round(self, driver: Driver) -> None:
        driver.step()
        for task in driver.tasks:
            task.step()
        self.world.pass_time(0.5)
        for request in list(self.world.in_flight):
            if request[0] + 1 <= self.world.now:
                self.world.arrive(request)

    def _end_all(self) -> None:
        for driver in self.world.drivers:
            if driver.alive:
                driver.kill(with_tasks=False)
        for task in self._live_tasks():
            task.blind = False
        for _ in range(STEPS):
            for task in self._live_tasks():
                task.step()
            self.world.pass_time(0.5)
        assert not self._live_tasks()


def test_a_task_without_a_driver_and_without_a_next_run_ends_when_its_lock_has_expired() -> None:
    protocol = Protocol()
    protocol.begin(foreign=set(), loaded=False)
    protocol.replace_model(rows=dict.fromkeys("abcde", "1"))
    protocol.begin_run(Driver.load, rounds=28, dead=False, invalid=set())

    protocol._end_all()

    assert protocol._live_tasks() == []
    protocol.teardown()


Protocol.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestProtocol = Protocol.TestCase
