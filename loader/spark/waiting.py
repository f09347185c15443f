"""A line on standard error for a wait that has no progress to show."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WAIT_SECONDS = 15.0


@contextmanager
def reported(text: Callable[[], str | None]) -> Iterator[threading.Event]:
    """Print the text, unless it is None, if the block lasts for WAIT_SECONDS.

    The event says that the block waits no longer.
    """
    began = threading.Event()

    def report() -> None:
        if not began.wait(WAIT_SECONDS) and (line := text()):
            print(line, file=sys.stderr)

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield began
    finally:
        began.set()
        thread.join()
