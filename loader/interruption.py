"""Ctrl-C, SIGTERM and SIGHUP: a run ends in order, with one line and the exit code 128 + signal."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Time after which a signal that a finalizer of a library has swallowed is raised again.
AGAIN_SECONDS = 0.05
NOTHING_WRITTEN = "interrupted: nothing was written"
ENDED = "interrupted: the run had ended"


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to end; `message` says what was written."""

    def __init__(self, number: int = signal.SIGINT, message: str = NOTHING_WRITTEN) -> None:
        self.exit_code, self.message = 128 + number, message
        super().__init__(number)


class Receiver:
    """Raises the first signal in the main thread and ignores the ones that follow."""

    def __init__(self) -> None:
        self.raised: int | None = None
        self.pending: int | None = None
        self.message = NOTHING_WRITTEN
        self.holds = 0
        self.end_children: Callable[[], None] | None = None

    def receive(self, number: int, _frame: FrameType | None) -> None:
        if self.raised is not None:
            return
        if self.holds and self.pending is None:
            self.pending = number
            return
        self.raise_(number)

    def raise_(self, number: int) -> None:
        self.raised, self.pending = number, None
        if self.end_children:
            threading.Thread(target=self.end_children, daemon=True).start()
        raise Interrupted(number, self.message)

    def raise_again(self, _number: int, _frame: FrameType | None) -> None:
        if self.raised is not None:
            raise Interrupted(self.raised, self.message)


_receiver = Receiver()


@contextmanager
def received() -> Iterator[Receiver]:
    """Raise `Interrupted` in the block for a signal that is not ignored, as `nohup` ignores one."""
    global _receiver  # noqa: PLW0603  the signals of a process have one receiver
    if threading.current_thread() is not threading.main_thread():
        yield _receiver
        return
    _receiver = receiver = Receiver()
    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in SIGNALS}
    handlers[signal.SIGALRM] = signal.getsignal(signal.SIGALRM)
    before = sys.unraisablehook

    def unraisable(error: Any) -> None:
        """Python drops what a finalizer raises; a signal must not be lost."""
        if issubclass(error.exc_type, Interrupted):
            signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
        else:
            before(error)

    sys.unraisablehook = unraisable
    signal.signal(signal.SIGALRM, receiver.raise_again)
    for name in SIGNALS:
        if handlers[name] is not signal.SIG_IGN:
            signal.signal(name, receiver.receive)
    try:
        yield receiver
    finally:
        # After an interruption the others stay ignored while the process ends.
        if receiver.raised is None:
            sys.unraisablehook = before
            for number, handler in handlers.items():
                signal.signal(number, handler)


@contextmanager
def ending(end_children: Callable[[], None] | None) -> Iterator[None]:
    """Call the function in a thread if a signal ends the block.

    A call that waits for one of these processes then fails, and cannot keep the block from ending.
    """
    receiver = _receiver
    receiver.end_children = end_children
    try:
        yield
    finally:
        receiver.end_children = None


def check() -> None:
    """Raise `Interrupted` if a signal came, when a library may have raised its own error for it."""
    if _receiver.raised is not None:
        raise Interrupted(_receiver.raised, _receiver.message) from None


def set_message(message: str) -> None:
    """What an interruption of this process says from now on: what was written has changed."""
    _receiver.message = message


@contextmanager
def kept_handlers() -> Iterator[None]:
    """Undo that a block replaces the handler of Ctrl-C, as SparkContext does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


@contextmanager
def deferred() -> Iterator[None]:
    """Raise a signal at the end of the block; a second signal ends the block at once."""
    receiver = _receiver
    receiver.holds += 1
    try:
        yield
    finally:
        receiver.holds -= 1
        if receiver.pending is not None and not receiver.holds:
            receiver.raise_(receiver.pending)
