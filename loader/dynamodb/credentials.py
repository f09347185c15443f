"""AWS credentials of a worker that lives longer than they do."""

import threading
import time
from collections.abc import Callable
from typing import Any

RENEW_SECONDS = 1.0


class RenewableCredentials:
    """What botocore finds, and finds again when AWS says that it has expired.

    Temporary credentials of a role refresh themselves before they are due. Static ones, as of a
    shared credentials file that somebody renews, are read once by botocore: `renew` reads again.
    """

    def __init__(self, found: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._found, self._clock = found, clock
        self._lock = threading.Lock()
        self._renewed = clock()

    @classmethod
    def find(cls) -> "RenewableCredentials | None":
        """The first of AWS's chain of sources that has some; None where none has."""
        found = _search()
        return None if found is None else cls(found)

    def get_frozen_credentials(self) -> Any:
        """Access key, secret key and token to sign with now.

        Raises ConnectionError when they are due and their source does not answer: another try may.
        """
        from botocore.exceptions import BotoCoreError

        try:
            return self._found.get_frozen_credentials()
        except BotoCoreError as error:
            raise ConnectionError(f"AWS credentials must be refreshed, got {error}") from error

    def renew(self) -> None:
        """Search again; at most once a second, however many threads ask.

        What cannot be read, as a file that is just being written, leaves the old ones in place:
        the request is refused again, which is bounded in time, and asks for this again.
        """
        from botocore.exceptions import BotoCoreError

        with self._lock:
            if self._clock() - self._renewed < RENEW_SECONDS:
                return
            self._renewed = self._clock()
            try:
                self._found = _search() or self._found
            except BotoCoreError:
                return


def _search() -> Any:
    from botocore.session import Session

    return Session().get_credentials()
