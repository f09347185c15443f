"""botocore's session, with one chain of credentials, region and endpoints for DynamoDB and S3.

Each process finds its credentials itself, or assumes a role, so that they are in no file or message
of Spark. Region and endpoint of a service are found on the driver, and tasks get them from there.
"""

import contextlib
import logging
import os
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from loader.assumed_role import AssumedRole, assume
from loader.errors import reason

# It logs a refresh that fails with the answer of AWS, which may quote a signed request. The loader
# reports the cause itself.
logging.getLogger("botocore.credentials").setLevel(logging.CRITICAL)

RENEW_SECONDS = 1.0
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
    credentials = session.get_credentials()
    if credentials is not None and credentials.method == "assume-role":
        _refuse_mfa(session)
    if role is None:
        return session
    assumed = Session(session_vars=REGION_OF_PROFILE)
    if region:
        assumed.set_config_variable("region", region)
    assume(assumed, role, source=session)
    return assumed


def endpoint_problem(service: str, url: str) -> str | None:
    """Why requests cannot be sent to this address, or None. `service` is DynamoDB or S3."""
    if URL.fullmatch(url) and _has_port(url):
        return None
    shown = f"{url.partition('//')[0]}//***@{url.rpartition('@')[2]}" if "@" in url else url
    return (
        f"endpoint of {service} must be https://host, https://host:port or "
        f"https://host:port/path, got {shown}: correct AWS_ENDPOINT_URL_{service.upper()}, "
        "AWS_ENDPOINT_URL or the AWS profile"
    )


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


def _refuse_mfa(session: Session) -> None:
    """Raise `Misconfigured` if the role of the profile, or one that it is taken from, needs MFA."""
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
    a shared credentials file, only once: `renew` reads them again.
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
        self._renewed = clock()

    @classmethod
    def find(
        cls, region: str | None = None, role: AssumedRole | None = None
    ) -> "RenewableCredentials | None":
        """The first credentials in AWS's chain of sources, or those of the role that they assume;
        None if there are none."""
        credentials = session(region, role).get_credentials()
        return None if credentials is None else cls(credentials, region=region, role=role)

    def get_frozen_credentials(self) -> Any:
        """Access key, secret key and token to sign with now.

        Raises ConnectionError if they must be refreshed and their source does not answer.
        """
        try:
            return self._credentials.get_frozen_credentials()
        # ClientError: STS refuses the role; RuntimeError: what it gave has expired already.
        except (BotoCoreError, ClientError, RuntimeError) as error:
            self.renew()  # they may have been made from others that have expired
            what = f"assume {self._role}" if self._role else "refresh AWS credentials"
            raise ConnectionError(f"cannot {what}: {reason(error)}") from error

    def renew(self) -> None:
        """Search again, at most once per second.

        If a source cannot be read, such as a file that is being written, the old credentials stay:
        DynamoDB refuses the next request, and its retry renews again.
        """
        if self._clock() - self._renewed >= RENEW_SECONDS:
            self._renewed = self._clock()
            with contextlib.suppress(BotoCoreError):
                found = session(self._region, self._role).get_credentials()
                self._credentials = found or self._credentials
