"""AWS credentials that may expire while a worker process runs."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

RENEW_SECONDS = 1.0


class RenewableCredentials:
    """botocore's credentials, searched for again after they have expired.

    Temporary credentials of a role refresh themselves. botocore reads static ones, such as those of
    a shared credentials file, only once: `renew` reads them again.
    """

    def __init__(self, credentials: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._credentials, self._clock = credentials, clock
        self._renewed = clock()

    @classmethod
    def find(cls) -> "RenewableCredentials | None":
        """The first credentials in AWS's chain of sources; None if there are none."""
        credentials = _search()
        return None if credentials is None else cls(credentials)

    def get_frozen_credentials(self) -> Any:
        """Access key, secret key and token to sign with now.

        Raises ConnectionError if they must be refreshed and their source does not answer.
        """
        from botocore.exceptions import BotoCoreError

        try:
            return self._credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise ConnectionError(f"cannot refresh AWS credentials: {error}") from error

    def renew(self) -> None:
        """Search again, at most once per second.

        If a source cannot be read, such as a file that is being written, the old credentials stay:
        DynamoDB refuses the next request, and its retry renews again.
        """
        from botocore.exceptions import BotoCoreError

        if self._clock() - self._renewed >= RENEW_SECONDS:
            self._renewed = self._clock()
            with contextlib.suppress(BotoCoreError):
                self._credentials = _search() or self._credentials


def _search() -> Any:
    from botocore.session import Session

    return Session().get_credentials()
