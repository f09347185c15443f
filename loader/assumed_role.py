"""A role, such as one of another account, that each process assumes with its own credentials.

Only its ARN, its external id and the address of STS go from the driver to the executors. None of
them is a secret: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html
"""

from dataclasses import dataclass
from typing import Any

from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.session import Session

from loader.proxies import VARIABLES, Proxy

# A worker waits for STS in the middle of its requests.
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 5, 10, 2


@dataclass(frozen=True)
class AssumedRole:
    """A role, and what AWS's logs name the session of a run.

    Region, endpoint and proxy are those of STS as the driver finds them; without an endpoint, each
    process finds its own.
    """

    arn: str
    external_id: str = ""
    session_name: str = "loader"
    region: str | None = None
    endpoint: str | None = None
    proxy: Proxy | None = None

    def __str__(self) -> str:
        of = f"external id {self.external_id}" if self.external_id else "no external id"
        return f"role {self.arn} with {of}"

    @property
    def account(self) -> str:
        """The account of the role."""
        return self.arn.split(":")[4]


class _Provider(CredentialProvider):
    METHOD = "assumed-role"

    def __init__(self, role: AssumedRole, source: Session) -> None:
        super().__init__()
        self._role, self._source = role, source

    def load(self) -> Any:
        """The credentials of the role; None if there are none to assume it with.

        They are asked for when they are first used, and refreshed 15 minutes before they expire.
        """
        own = self._source.get_credentials()
        if own is None:
            return None
        role = self._role
        names = {"RoleSessionName": role.session_name, "ExternalId": role.external_id}
        fetcher = AssumeRoleCredentialFetcher(
            lambda _, **keys: sts_client(self._source, role, **keys),
            own,
            role.arn,
            extra_args={name: value for name, value in names.items() if value},
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)


def sts_client(session: Session, role: AssumedRole, **keys: Any) -> Any:
    """botocore's client for STS in one Region."""
    session.set_config_variable("sts_regional_endpoints", "regional")
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": ATTEMPTS},
        # Of the driver, once it has found the endpoint; None means those of this process.
        proxies=None if role.endpoint is None else _proxies(role.proxy),
    )
    return session.create_client(
        "sts", region_name=role.region, endpoint_url=role.endpoint, config=config, **keys
    )


def _proxies(proxy: Proxy | None) -> Any:
    return dict.fromkeys(VARIABLES, proxy.address) if proxy else {}


def assume(session: Session, role: AssumedRole, source: Session) -> None:
    """Give the session the credentials of the role, which those of `source` assume."""
    session.register_component("credential_provider", CredentialResolver([_Provider(role, source)]))
