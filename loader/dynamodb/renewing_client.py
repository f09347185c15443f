"""botocore's client for the driver, which uses it again after a read that may take hours."""

from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, CredentialRetrievalError
from botocore.session import Session

from loader.dynamodb.answers import EXPIRED_CREDENTIALS

# A command waits for the answer, and describes one table after the other.
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 20, 4


class RenewingClient:
    """Sends an operation once more, with credentials that are searched for again, if AWS answers
    that they have expired.

    botocore reads those of a shared credentials file once per session, so `make` has a new one.
    """

    def __init__(self, client: Any, make: Callable[[], Any]) -> None:
        self._client, self._make = client, make

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        return partial(self._call, name) if callable(attribute) else attribute

    def _call(self, name: str, *arguments: Any, **parameters: Any) -> Any:
        try:
            return getattr(self._client, name)(*arguments, **parameters)
        # RuntimeError: the source of the credentials gave some that have expired already.
        except (ClientError, CredentialRetrievalError, RuntimeError) as error:
            if isinstance(error, ClientError) and not _has_expired(error):
                raise
        try:
            self._client = self._make()
            return getattr(self._client, name)(*arguments, **parameters)
        except RuntimeError as error:
            raise CredentialRetrievalError(provider="AWS", error_msg=str(error)) from error


def create(session: Session) -> Any:
    """A client that gives up soon without a route; AWS_MAX_ATTEMPTS changes its attempts."""
    attempts = session.get_config_variable("max_attempts") or ATTEMPTS
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    return session.create_client("dynamodb", config=config)


def _has_expired(error: ClientError) -> bool:
    """Also if STS says so of the credentials that assume a role."""
    return error.response.get("Error", {}).get("Code") in EXPIRED_CREDENTIALS
