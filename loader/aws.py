"""botocore's session, with one chain of credentials, region and endpoints for DynamoDB and S3.

Each process finds its credentials itself, or assumes a role, so that they are in no file or message
of Spark. Region and endpoint of a service are found on the driver, and tasks get them from there.
"""

import logging
import os
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from loader import tls
from loader.assumed_role import AssumedRole, assume
from loader.errors import reason
from loader.proxies import proxy_problem
from loader.redaction import without_user

# It logs a refresh that fails with the answer of AWS, which may quote a signed request. The loader
# reports the cause itself.
logging.getLogger("botocore.credentials").setLevel(logging.CRITICAL)

RENEW_SECONDS = 1.0
# botocore asks for others at each use in the last 15 minutes of credentials, which may be all.
REUSE_SECONDS = 60.0
UNTRUSTED = "Check the endpoint, or name its certificate authority in AWS_CA_BUNDLE"
# botocore would take an empty AWS_DEFAULT_REGION, which `region_of_environment` ignores as AWS's
# other tools do.
REGION_OF_PROFILE: Any = {"region": ("region", None, None, None)}
# Without user and password; a path has the characters that RFC 3986 allows.
URL = re.compile(r"https?://[^/@?#\s]+(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?", re.IGNORECASE)


class Misconfigured(BotoCoreError):
    """A setting of AWS that the loader refuses; the message is a rule with its remedy."""

    fmt = "{problem}"


def session(region: str | None = None, role: AssumedRole | None = None) -> Session:
    """A new session; `region` takes precedence over the configured one.

    With a role its credentials are those of the role, which are asked for when they are first used.

    Raises `Misconfigured` if two regions are set, or if credentials need an MFA code: each of
    Spark's workers would wait for somebody to enter one.
    """
    session = Session(session_vars=REGION_OF_PROFILE)
    if region := region or region_of_environment():
        session.set_config_variable("region", region)
    refuse_mfa(session)
    if role is None:
        return session
    assumed = Session(session_vars=REGION_OF_PROFILE)
    if region:
        assumed.set_config_variable("region", region)
    assume(assumed, role, source=session)
    return assumed


def endpoint_problem(service: str, url: str) -> str | None:
    """Why requests cannot be sent to this address, or None. `service` is as DynamoDB or S3."""
    if URL.fullmatch(url) and _has_port(url):
        return None
    return (
        f"endpoint of {service} must be https://host, https://host:port or "
        f"https://host:port/path, got {without_user(url)}: correct {endpoint_variable(service)}, "
        "AWS_ENDPOINT_URL or the AWS profile"
    )


def client_cause(error: Exception) -> str:
    """Why botocore makes no client, without the user in an endpoint that it quotes."""
    return without_user(reason(error)) if isinstance(error, ValueError) else reason(error)


def address_problem(service: str, url: str, allow_plain_http: bool) -> str | None:
    """Why requests may not be sent to this address, or by its proxy, or None."""
    problem = endpoint_problem(service, url) or proxy_problem(url)
    if problem or allow_plain_http:
        return problem
    return tls.plain_text_problem(service, url)


def endpoint_variable(service: str) -> str:
    """The variable for the endpoint of a service, such as Secrets Manager:
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    """
    return f"AWS_ENDPOINT_URL_{service.upper().replace(' ', '_')}"


def _has_port(url: str) -> bool:
    """Whether the port is a number up to 65535, or missing."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def region_of_environment() -> str | None:
    """AWS_REGION or AWS_DEFAULT_REGION; botocore itself reads the profile.

    The AWS CLI and other SDKs read AWS_REGION:
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html
    """
    region, default = os.environ.get("AWS_REGION"), os.environ.get("AWS_DEFAULT_REGION")
    if region and default and region != default:
        raise Misconfigured(
            problem=f"AWS_REGION and AWS_DEFAULT_REGION must be the same, got {region} and "
            f"{default}: set the region of the table in both, or unset one of them"
        )
    return region or default or None


def refuse_mfa(session: Session) -> None:
    """Raise `Misconfigured` if the role of the profile, or one that it is taken from, needs MFA."""
    credentials = session.get_credentials()
    if credentials is None or credentials.method != "assume-role":
        return
    profiles = session.full_config.get("profiles", {})
    name, visited = session.get_config_variable("profile") or "default", set[str]()
    while name in profiles and name not in visited:
        visited.add(name)
        if "mfa_serial" in profiles[name]:
            raise Misconfigured(
                problem=f"AWS profile {name} must not need an MFA code, which Spark's workers "
                "cannot ask for, got mfa_serial: sign in before the load with "
                f'`eval "$(aws configure export-credentials --profile {name} --format env)"`'
            )
        name = profiles[name].get("source_profile")


class RenewableCredentials:
    """botocore's credentials, searched for again after they have expired.

    Temporary credentials of a role refresh themselves. botocore reads static ones, such as those of
    a shared credentials file, only once: `renew` reads them again. None are searched for again too:
    the metadata service of a machine may not answer all of its processes at once.
    """

    def __init__(
        self,
        credentials: Any,
        clock: Callable[[], float] = time.monotonic,
        region: str | None = None,
        role: AssumedRole | None = None,
    ) -> None:
        self._credentials, self._clock = credentials, clock
        self._region, self._role = region, role
        self._renewed = self._asked = clock()
        self._frozen: Any = None
        self._failure = ""  # of the last search

    @classmethod
    def find(
        cls, region: str | None = None, role: AssumedRole | None = None
    ) -> "RenewableCredentials":
        """The first credentials in AWS's chain of sources, or of the role that they assume.

        A source that fails is asked again when they are used. Raises `Misconfigured`.
        """
        found = cls(None, region=region, role=role)
        try:
            found._credentials = session(region, role).get_credentials()
        except Misconfigured:
            raise
        except BotoCoreError as error:
            found._failure = reason(error)
        return found

    def get_frozen_credentials(self) -> Any:
        """Access key, secret key and token to sign with now.

        Their source is asked for newer ones once in `REUSE_SECONDS`. If it does not answer, they
        are used until AWS refuses them. Raises ConnectionError if there are none.
        """
        if self._frozen is None or self._clock() - self._asked >= REUSE_SECONDS:
            self._asked = self._clock()
            try:
                self._frozen = self._current()
            # ClientError: STS refuses the role; RuntimeError: what it gave has expired already.
            except (BotoCoreError, ClientError, RuntimeError) as error:
                self._search()  # they may have been made from others that have expired
                if self._frozen is None:
                    what = f"assume {self._role}" if self._role else "refresh AWS credentials"
                    raise ConnectionError(f"cannot {what}: {reason(error)}") from error
        return self._frozen

    def renew(self) -> None:
        """Use these credentials no more, because AWS refused them; search at most once per second.

        If a source cannot be read, such as a file that is being written, the old credentials stay:
        DynamoDB refuses the next request, and its retry renews again.
        """
        self._frozen = None
        self._search()

    def _current(self) -> Any:
        if self._credentials is None:
            self._search()
        if self._credentials is None:
            cause = f": {self._failure}" if self._failure else ""
            raise ConnectionError(f"cannot sign the request: no AWS credentials found{cause}")
        return self._credentials.get_frozen_credentials()

    def _search(self) -> None:
        if self._clock() - self._renewed >= RENEW_SECONDS:
            try:
                found = session(self._region, self._role).get_credentials()
                self._credentials, self._failure = found or self._credentials, ""
            except BotoCoreError as error:
                self._failure = reason(error)
            self._renewed = self._clock()
