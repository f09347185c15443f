"""The headers of a signed request equal those of botocore."""

import datetime
from dataclasses import astuple
from typing import Any

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from loader.dynamodb.signing import CONTENT_TYPE, VERSION, Credentials, Signer

SECRET = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
# 2001 to 2096, so that the date has four digits and the day changes.
SECONDS = st.integers(978_307_200, 3_976_000_000)
PATHS = ("", "/", "/ddb", "/ddb/v1.0/~x/", "/a%20b/./../c", "/a+b:@c")
HOSTS = ("dynamodb.eu-west-1.amazonaws.com", "127.0.0.1:8000", "[::1]:8000")


def of_botocore(
    credentials: Credentials,
    region: str,
    host: str,
    path: str,
    operation: str,
    body: bytes,
    now: int,
) -> dict[str, str]:
    """The headers that botocore signs and adds at the time `now`."""
    moment = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).replace(tzinfo=None)
    access_key, secret_key, token = astuple(credentials)
    headers = {"X-Amz-Target": f"{VERSION}.{operation}", "Content-Type": CONTENT_TYPE}
    request = AWSRequest("POST", f"https://{host}{path}", headers=headers, data=body)
    boto_credentials: Any = BotoCredentials(access_key, secret_key, token)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            botocore.auth, "get_current_datetime", lambda **_: moment.replace(tzinfo=None)
        )
        SigV4Auth(boto_credentials, "dynamodb", region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()} | {"host": host}


def parsed(headers: str) -> dict[str, str]:
    assert headers.endswith("\r\n")
    pairs = (line.split(": ", 1) for line in headers.split("\r\n")[:-1])
    return dict(pairs)


@given(
    access=SECRET,
    secret=SECRET,
    token=st.none() | SECRET,
    host=st.sampled_from(HOSTS),
    path=st.sampled_from(PATHS),
    operation=st.sampled_from(["BatchWriteItem", "Scan"]),
    bodies=st.lists(st.tuples(st.binary(max_size=200), SECONDS), min_size=1, max_size=4),
)
def test_the_headers_equal_those_of_botocore(
    access: str,
    secret: str,
    token: str | None,
    host: str,
    path: str,
    operation: str,
    bodies: list[tuple[bytes, int]],
) -> None:
    credentials = Credentials(access, secret, token)
    signer = Signer(credentials, "eu-west-1", host, path, operation)

    ours = [parsed(signer.headers(body, now)) for body, now in bodies]

    place = ("eu-west-1", host, path, operation)
    assert ours == [of_botocore(credentials, *place, *body) for body in bodies]


def test_the_repr_of_credentials_has_no_secret() -> None:
    assert repr(Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", "a-token")) == (
        "Credentials(access_key='AKIDEXAMPLE')"
    )
