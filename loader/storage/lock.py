"""One run at a time for an export, also of several machines.

    driver  RunLock    takes lock.json, renews it while the run lives, removes it at the end
    task    LockWatch  sends nothing while it does not see that the driver renews the lock

A lock that is not renewed for `seconds` has expired, by the clock of the storage: another run may
take it. A task stops after a sixth of that time, so that no task of a dead driver, or of one that
has lost its lock, writes beside the next run.
"""

import secrets
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

from loader.errors import (
    ApplyFailed,
    LoaderError,
    Refused,
    VersionConflict,
    reason,
    subject_of,
)
from loader.interruption import deferred
from loader.storage.export_command import export_command
from loader.storage.location import Location
from loader.storage.lock_file import (
    DAMAGED,
    LOCK_FILE,
    RENEWALS,
    Lock,
    lock_of_this_process,
    parsed,
    remove_lock,
    utc_now,
)

SECONDS = 60.0
# A run that finds a lock sees two renewals in this many looks, if the lock is renewed.
POLLS = 5
REMOVED = f"{LOCK_FILE} was removed"
# A task waits for the next renewal after this part of `seconds` without one.
QUIET = 6
# Unlike time.monotonic, it goes on while the machine sleeps.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def uptime() -> float:
    """Seconds since some moment before the start of this process."""
    return time.clock_gettime(CLOCK)


class RunLock:
    """The lock of an export, in its folder, for the time of a block.

    A daemon thread renews it; `lost` says why another run may write now.
    """

    def __init__(
        self,
        folder: Location,
        export: str,
        run: str,
        command: str,
        seconds: float = SECONDS,
        clock: Callable[[], float] = uptime,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.id = secrets.token_hex(4)
        self.folder, self.export, self.run = folder, export, run
        self.seconds, self._clock, self._sleep = seconds, clock, sleep
        self._lock = lock_of_this_process(self.id, run, command, seconds)
        self._version: str | None = None
        self._renewed = clock()
        self._failure: str | None = None  # of the last renewal
        self._lost: str | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_always, daemon=True)

    def __enter__(self) -> "RunLock":
        """Take the lock; wait until that of a dead run expires. Raises Refused for a living one."""
        try:
            self._take()
            self._thread.start()
        except BaseException:
            # An interruption may come after the lock was taken.
            with suppress(LoaderError):
                self._release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with deferred():
                self._release()
        except LoaderError as failed:
            print(
                f"warning: export {self.export} stays locked for {self.seconds:g} s: {failed}",
                file=sys.stderr,
            )

    @property
    def lost(self) -> str | None:
        """Why the run may no longer write, or None while no other run can have the lock."""
        if self._lost is None and self._clock() - self._renewed > self.seconds:
            cause = f": {self._failure}" if self._failure else ""
            self._lost = f"it could not be renewed for {self.seconds:g} s{cause}"
        return self._lost

    def require(self, command: str) -> None:
        """Raise ApplyFailed, with the command that goes on, if the lock is lost."""
        if lost := self.lost:
            raise ApplyFailed(
                f"cannot go on with export {self.export}, because run {self.run} has lost its "
                f"lock: {lost}. Run `{command}` when no other run writes"
            )

    def watch(self) -> "LockWatch":
        """The lock as tasks see it."""
        return LockWatch(self.folder, self.id, self.seconds)

    def renew(self) -> None:
        """Renew the lock once; a failure of the storage is left to the next time."""
        if self.lost:
            return
        sent = self._clock()
        self._lock = replace(self._lock, renewed=utc_now(), renewals=self._lock.renewals + 1)
        try:
            self._version = self.folder.replace_version(
                LOCK_FILE, self._lock.encoded(), self._version
            )
            self._renewed, self._failure = sent, None
        except VersionConflict:
            self._find_conflict()
        except LoaderError as error:
            self._failure = reason(error)

    def _find_conflict(self) -> None:
        """Why the file has another version than the one that this run wrote last."""
        try:
            content, version = self.folder.read_version(LOCK_FILE)
        except FileNotFoundError:
            self._lost = REMOVED
        except LoaderError as error:
            self._failure = reason(error)
        else:
            lock = parsed(content)
            if lock and lock.id == self.id:
                self._version = version  # a renewal that landed without an answer
            else:
                self._lost = _why_lost(lock)

    def _renew_always(self) -> None:
        while not self._ended.wait(self.seconds / RENEWALS) and self.lost is None:
            self.renew()

    def _release(self) -> None:
        self._ended.set()
        remove_lock(self.folder, self.id)

    def _take(self) -> None:
        seen: str | None = None
        polls = 0
        while True:
            lock, version, age = self._current()
            if seen and version not in (None, seen):
                raise Refused(self._refusal(lock), subject_of([self.export]))
            seconds = lock.seconds if lock else self.seconds
            if version is None or age > seconds:
                if self._put(version):
                    return
                continue
            seen, polls = version, polls + 1
            if polls == POLLS:
                print(
                    f"lock   export {self.export} is locked by {lock or DAMAGED} that has not "
                    f"renewed the lock for {age:.0f} s: waiting up to {seconds - age:.0f} s",
                    file=sys.stderr,
                )
            self._sleep(seconds / RENEWALS / 2)

    def _current(self) -> tuple[Lock | None, str | None, float]:
        """Lock, version and age; a damaged file has no lock, a missing one no version."""
        try:
            content, version = self.folder.read_version(LOCK_FILE)
            return parsed(content), version, self.folder.age(LOCK_FILE)
        except FileNotFoundError:
            return None, None, 0.0

    def _put(self, version: str | None) -> bool:
        """Take the lock that has this version, or that is missing; False if another run did."""
        sent = self._clock()
        now = utc_now()
        self._lock = replace(self._lock, since=now, renewed=now)
        try:
            self._version = self.folder.replace_version(LOCK_FILE, self._lock.encoded(), version)
        except VersionConflict:
            return False
        self._renewed = sent
        return True

    def _refusal(self, lock: Lock | None) -> str:
        command = export_command(self.folder, "state unlock", lock.id) if lock else ""
        way_out = f", or, if it is dead, `{command}`" if lock else ""
        return (
            f"export {self.export} must have one run at a time, got {lock or DAMAGED}: "
            f"wait for its end{way_out}"
        )


def _why_lost(lock: Lock | None) -> str:
    return f"another run took it: {lock}" if lock else f"{LOCK_FILE} is {DAMAGED}"


@dataclass
class _Look:
    """What a task saw last; `renewed` and `again` are times of its own clock."""

    version: str | None = None
    renewed: float | None = None
    again: float = 0.0
    failure: str = ""
    reason: str | None = None


@dataclass(frozen=True)
class LockWatch:
    """The lock of a run, for its tasks; picklable, and each task looks for itself."""

    folder: Location
    id: str
    seconds: float
    clock: Callable[[], float] = field(default=uptime, compare=False, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, compare=False, repr=False)
    _look: _Look = field(default_factory=_Look, init=False, compare=False, repr=False)

    def __reduce__(self) -> Any:
        return LockWatch, (self.folder, self.id, self.seconds)

    def stopped(self) -> str | None:
        """Why the task may no longer send, or None.

        Looks at the file as often as the driver renews it. Without a renewal it waits, until the
        next one or until the lock has expired.
        """
        look = self._look
        if look.renewed is None:
            look.renewed = self.clock() - self.seconds / QUIET
        if look.reason is None and self.clock() >= look.again:
            self._read(look)
        while look.reason is None and self.clock() - look.renewed >= self.seconds / QUIET:
            if self.clock() - look.renewed > self.seconds:
                cause = f": {look.failure}" if look.failure else ""
                look.reason = f"the driver has not renewed it for {self.seconds:g} s{cause}"
                break
            self.sleep(self.seconds / RENEWALS / 2)
            self._read(look)
        return look.reason

    def _read(self, look: _Look) -> None:
        now = self.clock()
        look.again = now + self.seconds / RENEWALS
        try:
            content, version = self.folder.read_version(LOCK_FILE)
            lock = parsed(content)
            if lock is None or lock.id != self.id:
                look.reason = _why_lost(lock)
            elif version != look.version:
                look.renewed, look.version = now - self.folder.age(LOCK_FILE), version
            look.failure = ""
        except FileNotFoundError:
            look.reason = REMOVED
        except LoaderError as error:
            look.failure = reason(error)
