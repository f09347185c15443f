"""Run a function in a background thread."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_background(work: Callable[[], T]) -> "Future[T]":
    """Start the work in a daemon thread, for which the process does not wait when it ends."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 `result` raises it
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
