"""A folder whose files have the age that a test's clock gives them, and whose requests may fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loader.errors import CommitUnknown, StorageFailed
from loader.storage.location import Location


class Clock:
    """Time that passes only in `sleep`; `during` is called at each sleep with its end."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.sleeps: list[float] = []
        self.during: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        self.during()


class TimedFolder(Location):
    """A folder of a storage. `before` and `after` are called once, around the next replacement."""

    def __init__(self, folder: Location, clock: Clock) -> None:
        super().__init__(folder.uri, folder.known_bucket)
        set_attribute = object.__setattr__  # a location is frozen
        set_attribute(self, "clock", clock)
        set_attribute(self, "replaced", {})
        set_attribute(self, "state", {"fails": False, "before": None, "after": None})

    clock: Clock
    replaced: dict[str, float]
    state: dict[str, Any]

    def read_version(self, name: str) -> tuple[bytes, str]:
        self._fail("read", name)
        return super().read_version(name)

    def replace_version(self, name: str, content: bytes, version: str | None) -> str:
        self._fail("write to", name)
        self._call("before")
        new = super().replace_version(name, content, version)
        self.replaced[name] = self.clock.now
        self._call("after")
        return new

    def age(self, name: str) -> float:
        self._fail("read", name)
        super().age(name)
        return self.clock.now - self.replaced[name]

    def write(self, name: str, content: bytes) -> None:
        super().write(name, content)
        self.replaced[name] = self.clock.now

    def fail(self, fails: bool = True) -> None:
        self.state["fails"] = fails

    def lose_the_next_answer(self) -> None:
        """The next replacement lands, and nobody learns it."""

        def lose() -> None:
            raise CommitUnknown("write to", str(self), "no answer", "Try again")

        self.state["after"] = lose

    def _fail(self, action: str, name: str) -> None:
        if self.state["fails"]:
            raise StorageFailed(action, f"{self}/{name}", "SlowDown: wait", "Try again")

    def _call(self, when: str) -> None:
        call, self.state[when] = self.state[when], None
        if call:
            call()
