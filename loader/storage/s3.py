"""Requests to S3, signed by the same credentials as DynamoDB's, and why they fail.

botocore sends them: it retries, honours proxies and certificate authorities, checks the CRC of
what is sent, and follows a bucket to its region. It is imported on S3 only.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    SSLError,
    TokenRetrievalError,
)

from loader import aws
from loader.errors import Refused, StorageFailed, reason
from loader.proxies import VARIABLES, Proxy, proxy_for

CONNECT_SECONDS = 10
# A lock must be renewed within 60 s; botocore would wait that long for one answer.
READ_SECONDS = 20
DELETES = 1_000  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
MISSING = frozenset({"NoSuchKey", "404"})
UNANSWERED = (ConnectionError, HTTPClientError)  # of botocore; no connection, or no answer
EXISTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412"})

POLICY = "Grant docs/iam/storage-s3.json, and check the policies of the bucket and of its KMS key"
SIGN_IN = "Sign in again; for long loads use a role, or a credentials file that is renewed"
CREDENTIALS = "Check AWS_PROFILE, and the credentials on this machine and on the executors"
REGION = "Set AWS_DEFAULT_REGION to the bucket's region, or correct AWS_ENDPOINT_URL_S3"
ROUTE = "Check the route to S3, HTTPS_PROXY, NO_PROXY and AWS_ENDPOINT_URL_S3"
REMEDIES = {
    "NoSuchBucket": "Create the bucket, or correct --storage and AWS_ENDPOINT_URL_S3",
    **dict.fromkeys(("AccessDenied", "AllAccessDisabled", "403"), POLICY),
    **dict.fromkeys(EXPIRED, SIGN_IN),
    **dict.fromkeys(("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"), CREDENTIALS),
    "RequestTimeTooSkewed": "Set the clock of this machine",
    **dict.fromkeys(
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
        REGION,
    ),
}
OTHERWISE = "Check --storage, the bucket's policy and AWS_ENDPOINT_URL_S3"


@dataclass(frozen=True)
class Names:
    """The names in a folder."""

    files: list[str]
    folders: list[str]


@dataclass(frozen=True)
class Bucket:
    """A bucket, picklable: each process finds its own credentials. `endpoint` None is AWS's.

    The proxy is the driver's, as that of DynamoDB.
    """

    name: str
    region: str
    endpoint: str | None
    proxy: Proxy | None = None

    @property
    def url(self) -> str:
        """The URL of its service."""
        return str(self._client.meta.endpoint_url)

    def request(self, operation: str, **parameters: Any) -> Any:
        """The answer of an operation of botocore's client, such as `put_object`.

        Credentials of a shared file are read again if they have expired. Raises BotoCoreError or
        ClientError.
        """
        try:
            return getattr(self._client, operation)(Bucket=self.name, **parameters)
        except ClientError as error:
            if code(error) not in EXPIRED:
                raise
            _client.cache_clear()
            return getattr(self._client, operation)(Bucket=self.name, **parameters)

    @property
    def _client(self) -> Any:
        return _client(self, _environment())

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin with the prefix."""
        for page in self._pages(Prefix=prefix):
            yield from (entry["Key"] for entry in page.get("Contents", ()))

    def names(self, prefix: str) -> Names:
        """The next part of the keys that begin with the prefix, which ends with a slash."""
        files, folders = [], []
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            files += [entry["Key"] for entry in page.get("Contents", ())]
            folders += [entry["Prefix"] for entry in page.get("CommonPrefixes", ())]
        begin = len(prefix)
        # The console makes an empty object whose key ends with a slash for a folder.
        return Names(
            [key[begin:] for key in files if len(key) > begin],
            [key[begin:].rstrip("/") for key in folders],
        )

    def _pages(self, **parameters: str) -> Iterator[Any]:
        more: dict[str, str] = {}
        while True:
            page = self.request("list_objects_v2", **parameters, **more)
            yield page
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, keys: list[str]) -> None:
        """Delete objects; one that does not exist is no error."""
        for start in range(0, len(keys), DELETES):
            objects = [{"Key": key} for key in keys[start : start + DELETES]]
            answer = self.request("delete_objects", Delete={"Objects": objects, "Quiet": True})
            for error in answer.get("Errors", ()):
                raise ClientError({"Error": error}, "DeleteObjects")


def find(name: str) -> Bucket:
    """The bucket, with the region and the endpoint of this process's AWS configuration.

    The endpoint is AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or that of the AWS profile:
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    """
    with failures("open", f"s3://{name}"):
        return _find(name, _environment())


def _environment() -> frozenset[tuple[str, str]]:
    """What decides on region, endpoint and credentials, besides files."""
    names = re.compile(r"AWS_\w*|\w+_proxy", re.IGNORECASE)
    return frozenset(entry for entry in os.environ.items() if names.fullmatch(entry[0]))


@lru_cache(maxsize=1)
def _find(name: str, environment: frozenset[tuple[str, str]]) -> Bucket:
    session = aws.session()
    configured = session.create_client("s3").meta
    without = _config(ignore_configured_endpoint_urls=True)
    of_aws = session.create_client("s3", config=without).meta.endpoint_url
    # Not AWS's own URL, which would keep botocore from going to another region.
    endpoint = None if configured.endpoint_url == of_aws else configured.endpoint_url
    if problem := aws.endpoint_problem("S3", configured.endpoint_url):
        raise Refused(problem)
    try:
        proxy = proxy_for(configured.endpoint_url)
    except ValueError as error:
        raise Refused(str(error)) from None
    return Bucket(name, configured.region_name, endpoint, proxy)


@lru_cache(maxsize=4)
def _client(bucket: Bucket, environment: frozenset[tuple[str, str]]) -> Any:
    """One client per process, because a client takes 70 ms of CPU and has the connections."""
    return aws.session(bucket.region).create_client(
        "s3",
        endpoint_url=bucket.endpoint,
        config=_config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            ignore_configured_endpoint_urls=bucket.endpoint is None,
            proxies=dict.fromkeys(VARIABLES, bucket.proxy.address) if bucket.proxy else {},
        ),
    )


def _config(**options: Any) -> Any:
    return Config(**options)


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def failures(action: str, place: str) -> Iterator[None]:
    """Raise errors of botocore as the loader's, or as `FileNotFoundError`, `FileExistsError`."""
    try:
        yield
    except aws.Misconfigured as error:
        raise Refused(str(error)) from None
    except ClientError as error:
        if code(error) in MISSING:
            raise FileNotFoundError(f"{place} must exist, got no such file") from None
        if code(error) in EXISTS and action == "read":
            cause = "another program replaced it during the read"
            raise StorageFailed(action, place, cause, "Run the command again") from None
        if code(error) in EXISTS:
            raise FileExistsError(
                f"{place} must be a new file, got one of another run: load again"
            ) from None
        message = reason(error.response.get("Error", {}).get("Message") or "no message")
        cause = f"{code(error)}: {message}"
        raise StorageFailed(action, place, cause, REMEDIES.get(code(error), OTHERWISE)) from error
    except (BotoCoreError, ValueError) as error:  # ValueError: the endpoint is not a URL
        raise StorageFailed(action, place, aws.client_cause(error), _remedy(error)) from error


def _remedy(error: Exception) -> str:
    if isinstance(error, SSLError):
        return aws.UNTRUSTED
    if isinstance(error, UNANSWERED):
        return ROUTE
    if isinstance(error, (CredentialRetrievalError, TokenRetrievalError)):
        return SIGN_IN
    if isinstance(error, NoCredentialsError):
        return CREDENTIALS
    return OTHERWISE
