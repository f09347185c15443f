"""Read something again and again while a block runs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def sampling(read: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call `read` in a thread every so many seconds, the first time after them."""
    done = threading.Event()

    def loop() -> None:
        while not done.wait(seconds):
            read()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
