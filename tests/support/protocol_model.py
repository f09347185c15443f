"""A model of the protocol of a run, with all that can come between two of its steps.

A driver and its tasks are generators that stop before each step that others can see. Whoever plays
the model decides which of them takes its next step, dies, or stands still, and how time passes.

What the driver does with files is that of the loader (protocol_files.py). Simplifications: one
change per request; the storage, the drivers and the tasks have one clock.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal, Protocol

LOCK_SECONDS = 60.0
FENCE_SECONDS = LOCK_SECONDS / 6  # a task that has seen no renewal for so long sends nothing
POLL_SECONDS = 2.0  # a task looks at the lock so often
ANSWER_SECONDS = 10.0  # a request reaches the table within this time, or never
START_SECONDS = POLL_SECONDS + ANSWER_SECONDS  # from taking the lock to the first request

Steps = Generator[None, None, None]
Digests = dict[str, str | None]  # by key; None: in doubt


class Refused(Exception):
    """A run ends before its first write."""


class Failed(Exception):
    """A run ends without a commit."""


class VersionConflict(Exception):
    """Another version of the file is there."""


@dataclass(frozen=True)
class Change:
    """A put of `item`, or a delete if that is None."""

    key: str
    item: str | None


@dataclass(frozen=True)
class Changeset:
    """A plan. `detail` is what the files know of it."""

    run: str
    identity: int
    slices: tuple[tuple[Change, ...], ...]
    detail: Any


@dataclass
class Outcome:
    """The keys of a slice that the table has not acknowledged."""

    rejected: set[str] = field(default_factory=set)
    not_sent: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Lock:
    """The content of lock.json; `owner` is empty after a release."""

    owner: str
    renewed: float


class LockFile:
    """lock.json, which is replaced only if it has the expected version."""

    def __init__(self) -> None:
        self.content: Lock | None = None
        self.version = 0

    def replace(self, content: Lock, version: int) -> int:
        if version != self.version:
            raise VersionConflict
        self.content, self.version = content, self.version + 1
        return self.version


class Files(Protocol):
    """The storage folder of an export."""

    def known(self, identity: int) -> Any:
        """The state of the table of this identity, and the runs that did not commit."""

    def digests(self, known: Any) -> Digests:
        """What the table holds, as far as it is known."""

    def plan(
        self, run: str, known: Any, rows: dict[str, str], oversized: set[str], identity: int
    ) -> Changeset: ...

    def require_current(self, plan: Changeset) -> None:
        """Raises Refused if another run was committed, or has begun, since the plan."""

    def begin(self, plan: Changeset) -> tuple[dict[int, Outcome], Any]:
        """Record that the run begins to write; raises Refused as `require_current`.

        Returns the outcomes of the slices that have ended before, and the version for `commit`.
        """

    def end_slice(self, plan: Changeset, number: int, outcome: Outcome) -> None: ...

    def commit(self, plan: Changeset, outcomes: Sequence[Outcome], version: Any) -> None:
        """Raises Failed if another run was committed."""

    def clean(self, plan: Changeset) -> None:
        """Remove what no later run needs, after a commit."""

    def unfinished(self) -> Changeset:
        """The last run that did not commit; raises Refused."""

    def delete_state(self) -> None: ...


@dataclass
class World:
    """A warehouse, a table, a storage folder, and the processes between them."""

    files: Files
    model: dict[str, str] = field(default_factory=dict)
    oversized: set[str] = field(default_factory=set)  # keys that a plan rejects
    invalid: set[str] = field(default_factory=set)  # keys that the table rejects
    table: dict[str, str] = field(default_factory=dict)
    identity: int = 1
    foreign: dict[str, str] = field(default_factory=dict)  # items that no run has begun to change
    now: float = 0.0
    lock: LockFile = field(default_factory=LockFile)
    plans: list[Changeset] = field(default_factory=list)
    drivers: list[Driver] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    in_flight: list[tuple[float, int, Change]] = field(default_factory=list)

    def start(self, verb: Callable[[Driver], Steps]) -> Driver:
        driver = Driver(self, f"2026-01-01T00-00-00-{len(self.drivers):03d}Z-0000", verb)
        self.drivers.append(driver)
        return driver

    def pass_time(self, seconds: float) -> None:
        """Let time pass: live drivers renew their lock, and requests in flight arrive."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 1)
            for request in [r for r in self.in_flight if r[0] + ANSWER_SECONDS <= self.now + 1]:
                self.arrive(request)
            for driver in self.drivers:
                driver.renew()

    def arrive(self, request: tuple[float, int, Change]) -> None:
        self.in_flight.remove(request)
        _, identity, change = request
        if identity != self.identity:
            return
        if change.item is None:
            self.table.pop(change.key, None)
        elif change.key not in self.invalid:
            self.table[change.key] = change.item

    def new_table(self) -> None:
        """Delete the table, and create one of the same name."""
        self.identity += 1
        self.table.clear()
        self.foreign.clear()


@dataclass
class Task:
    """One attempt of an apply task: sends one slice, fenced by the lock of its driver."""

    world: World
    plan: Changeset
    number: int
    lock: str
    alive: bool = True
    gives_up: bool = False  # the endpoint is dead: the rest of the slice is not sent
    blind: bool = False  # the storage does not answer this task
    outcome: Outcome | None = None
    seen: float = 0.0
    polled: float = float("-inf")
    _steps: Steps | None = None

    def step(self) -> None:
        if self._steps is None:
            self._steps = self._send()
        if self.alive and next(self._steps, "end") == "end":
            self.alive = False

    def _send(self) -> Steps:
        outcome = Outcome()
        self.seen = self.world.now
        for change in self.plan.slices[self.number]:
            while (verdict := self._watch()) != "send":
                if verdict == "stop":
                    return
                yield
            if self.gives_up:
                outcome.not_sent.add(change.key)
                continue
            request = (self.world.now, self.plan.identity, change)
            self.world.in_flight.append(request)
            while request in self.world.in_flight:
                yield
            if change.item is not None and change.key in self.world.invalid:
                outcome.rejected.add(change.key)
        while self.blind:
            yield
        self.world.files.end_slice(self.plan, self.number, outcome)
        yield
        self.outcome = outcome

    def _watch(self) -> Literal["send", "wait", "stop"]:
        world = self.world
        if world.now - self.polled >= POLL_SECONDS and not self.blind:
            lock = world.lock.content
            if lock is None or lock.owner != self.lock:
                return "stop"
            self.polled, self.seen = world.now, max(self.seen, lock.renewed)
        quiet = world.now - self.seen
        if quiet > LOCK_SECONDS:
            return "stop"
        return "wait" if quiet >= FENCE_SECONDS else "send"


class Driver:
    """One process of the loader: runs a verb, step by step."""

    def __init__(self, world: World, name: str, verb: Callable[[Driver], Steps]) -> None:
        self.world, self.name = world, name
        self.alive, self.paused = True, False
        self.result = ""  # complete, refused, failed, killed or unknown
        self.tasks: list[Task] = []
        self._lock_version: int | None = None
        self._taken = 0.0
        self._steps = self._run(verb)

    # ---- what happens to a driver

    def step(self) -> None:
        if self.alive and not self.paused and next(self._steps, "end") == "end":
            self.alive = False

    def kill(self, with_tasks: bool) -> None:
        self.alive, self.result = False, self.result or "killed"
        for task in self.tasks:
            task.alive = task.alive and not with_tasks

    def renew(self) -> None:
        """What the thread that renews the lock does."""
        if self._lock_version is None or not self.alive or self.paused:
            return
        try:
            lock = Lock(self.name, self.world.now)
            self._lock_version = self.world.lock.replace(lock, self._lock_version)
        except VersionConflict:
            self._lock_version = None

    def retry(self, index: int) -> None:
        """Start another attempt of a task; Spark has lost sight of the first, which goes on."""
        task = self.tasks[index]
        self.tasks[index] = Task(self.world, task.plan, task.number, task.lock)
        self.world.tasks.append(self.tasks[index])

    # ---- the verbs

    def load(self) -> Steps:
        yield from self._take_lock()
        plan = yield from self._plan()
        yield from self._apply(plan)

    def plan(self) -> Steps:
        yield from self._plan()

    def apply(self, plan: Changeset) -> Steps:
        yield from self._take_lock()
        yield from self._apply(plan)

    def resume(self) -> Steps:
        yield from self._take_lock()
        yield
        yield from self._apply(self.world.files.unfinished())

    # ---- their steps

    def _run(self, verb: Callable[[Driver], Steps]) -> Steps:
        try:
            yield from verb(self)
            self.result = "complete"
        except Refused:
            self.result = "refused"
            self._release()
        except Failed:
            self.result = "failed"
            self._release()

    def _take_lock(self) -> Steps:
        file = self.world.lock
        first: int | None = None
        while True:
            lock, version = file.content, file.version
            held = lock is not None and lock.owner != ""
            if held and lock and self.world.now - lock.renewed <= LOCK_SECONDS:
                if first is None:
                    first = version
                if first != version:
                    raise Refused("one run at a time")
                yield
                continue
            yield
            try:
                self._lock_version = file.replace(Lock(self.name, self.world.now), version)
                self._taken = self.world.now
                return
            except VersionConflict:
                first = None

    def _release(self) -> None:
        if self._lock_version is None:
            return
        with suppress(VersionConflict):  # another run has taken it
            self.world.lock.replace(Lock("", self.world.now), self._lock_version)
        self._lock_version = None

    def _require_lock(self) -> None:
        if self._lock_version is None or self.world.lock.version != self._lock_version:
            raise Failed("the lock is lost")

    def _plan(self) -> Generator[None, None, Changeset]:
        world = self.world
        known = world.files.known(world.identity)
        yield
        rows, oversized = dict(world.model), set(world.oversized)
        yield
        plan = world.files.plan(self.name, known, rows, oversized, world.identity)
        world.plans.append(plan)
        yield
        return plan

    def _apply(self, plan: Changeset) -> Steps:
        world = self.world
        while world.now - self._taken < START_SECONDS:
            yield
        world.files.require_current(plan)
        if plan.identity != world.identity:
            raise Refused("another table")
        yield
        self._require_lock()
        ended, version = world.files.begin(plan)
        yield
        for change in chain.from_iterable(plan.slices):
            world.foreign.pop(change.key, None)
        outcomes = yield from self._write(plan, ended)
        if any(outcome.not_sent for outcome in outcomes):
            raise Failed("not sent")
        self._require_lock()
        yield
        world.files.commit(plan, outcomes, version)
        yield
        world.files.clean(plan)
        yield
        self._release()

    def _write(
        self, plan: Changeset, ended: dict[int, Outcome]
    ) -> Generator[None, None, list[Outcome]]:
        self.tasks = [
            Task(self.world, plan, number, self.name)
            for number in range(len(plan.slices))
            if number not in ended
        ]
        self.world.tasks += self.tasks
        outcomes = dict(ended)
        for index in range(len(self.tasks)):
            while self.tasks[index].alive and self.tasks[index].outcome is None:
                yield
            task = self.tasks[index]
            if task.outcome is None:
                raise Failed("a task failed")
            outcomes[task.number] = task.outcome
        return [outcomes[number] for number in sorted(outcomes)]
