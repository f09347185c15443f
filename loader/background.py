"""Work in a thread of its own."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar, cast

Found = TypeVar("Found")


class Background(Generic[Found]):
    """Work done in a thread of its own while something else goes on.

    The thread does not keep the process alive: a run that fails or is interrupted does not wait.
    """

    def __init__(self, work: Callable[[], Found]) -> None:
        self._found: Found | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], Found]) -> None:
        try:
            self._found = work()
        except Exception as error:  # noqa: BLE001 raised again by `result`
            self._error = error

    def result(self) -> Found:
        """Wait for the work; its error is raised here."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return cast(Found, self._found)
