"""A role is assumed by each process, at the STS that the driver found, and again in time."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from loader.assumed_role import AssumedRole
from loader.aws import RenewableCredentials, session
from loader.dynamodb.role import role_problem, table_role
from loader.dynamodb.service import reached
from loader.errors import Refused
from loader.items.export import Export, Relation
from loader.settings import Settings
from tests.support.forward_proxy import forward_proxy
from tests.support.sts import EXTERNAL_ID, ROLE, Sts, scripted_sts

RUN = "2026-11-24T22-54-11-392Z-7f3a"
PLAIN = Export("e", "m", Relation("db", "s", "m"), "users", ("k",), "p", 1)
DENIED = (
    "An error occurred (AccessDenied) when calling the AssumeRole operation: User: "
    "arn:aws:iam::111111111111:user/loader is not authorized to perform: sts:AssumeRole on "
    "resource: "
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for scheme in ("http", "https", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".upper(), raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKOWN",
        "AWS_SECRET_ACCESS_KEY": "own",
        "AWS_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sts]:
    with scripted_sts() as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        yield sts


def by_role(**changes: str) -> Settings:
    known = {"dynamodb_role": ROLE, "dynamodb_external_id": EXTERNAL_ID}
    return Settings(**{**known, **changes})  # type: ignore[arg-type]


def role(settings: Settings | None = None, region: str | None = None) -> AssumedRole:
    found = table_role(settings or by_role(), PLAIN, RUN, region)
    assert found
    return found


def test_a_process_assumes_the_role_with_its_own_credentials_at_the_sts_of_the_driver(
    sts: Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = pickle.dumps(role(region="eu-north-1"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")  # of the executor
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKEXECUTOR")

    credentials = RenewableCredentials.find("eu-north-1", pickle.loads(sent))  # noqa: S301 ours
    keys = [credentials.get_frozen_credentials() for _ in range(3)]

    assert {(k.access_key, k.secret_key, k.token) for k in keys} == {
        ("ASIAAssumed0", "AssumedSecret", "AssumedToken")
    }
    [call] = sts.calls
    assert (call.key_id, call.region, call.service) == ("AKEXECUTOR", "eu-north-1", "sts")
    assert call.parameters == {
        "RoleArn": ROLE,
        "ExternalId": EXTERNAL_ID,
        "RoleSessionName": RUN,
        "Version": "2011-06-15",
    }


def test_what_is_sent_to_executors_has_no_secret(sts: Sts) -> None:
    assert b"own" not in pickle.dumps(role())
    assert b"Assumed" not in pickle.dumps(role()).replace(b"AssumedRole", b"")


@pytest.mark.parametrize("seconds", [3600, 900, 60])
def test_a_session_of_any_length_is_asked_for_once_a_minute_at_most(
    sts: Sts, seconds: float
) -> None:
    sts.seconds = seconds
    credentials = RenewableCredentials.find(None, role())

    keys = {credentials.get_frozen_credentials().access_key for _ in range(20)}

    assert (keys, len(sts.calls)) == ({"ASIAAssumed0"}, 1)
    credentials._asked -= 61
    credentials.get_frozen_credentials()
    # botocore refreshes those that end within 15 minutes.
    assert len(sts.calls) == (2 if seconds <= 900 else 1)


def test_while_sts_refuses_the_last_credentials_are_used_until_dynamodb_refuses_them(
    sts: Sts,
) -> None:
    sts.seconds = 300  # botocore raises if it cannot refresh those that end within ten minutes
    credentials = RenewableCredentials.find(None, role())
    credentials.get_frozen_credentials()
    sts.message = "throttled"
    credentials._asked -= 61

    assert credentials.get_frozen_credentials().access_key == "ASIAAssumed0"
    assert len(sts.calls) > 1
    credentials.renew()
    with pytest.raises(ConnectionError, match="throttled"):
        credentials.get_frozen_credentials()


def test_a_session_that_aws_refuses_is_asked_for_again(sts: Sts) -> None:
    credentials = RenewableCredentials.find(None, role())
    first = credentials.get_frozen_credentials()
    credentials._renewed -= 2
    credentials.renew()

    assert [first.access_key, credentials.get_frozen_credentials().access_key] == [
        "ASIAAssumed0",
        "ASIAAssumed1",
    ]


def test_the_role_is_assumed_with_keys_of_a_file_that_was_renewed_since(
    sts: Sts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    file = tmp_path / "credentials"
    keys = "[default]\naws_secret_access_key = s\naws_access_key_id = "
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    file.write_text(f"{keys}AKOLD\n")
    sts.trusted = "AKNEW"
    credentials = RenewableCredentials.find(None, role())

    file.write_text(f"{keys}AKNEW\n")
    credentials._renewed -= 2
    with pytest.raises(ConnectionError):
        credentials.get_frozen_credentials()

    assert credentials.get_frozen_credentials().access_key == "ASIAAssumed0"


def test_without_an_endpoint_sts_is_that_of_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")

    assert [(role(region=r).region, role(region=r).endpoint) for r in (None, "us-west-2")] == [
        ("eu-west-1", "https://sts.eu-west-1.amazonaws.com"),
        ("us-west-2", "https://sts.us-west-2.amazonaws.com"),
    ]


def test_sts_is_asked_through_the_proxy_of_the_driver(
    sts: Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(sts.url.rpartition(":")[2])
    with forward_proxy({"sts.proxied.test": port}, login="me:p@ss") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://sts.proxied.test:{port}")
        monkeypatch.setenv("HTTP_PROXY", f"http://me:p%40ss@127.0.0.1:{proxy.port}")
        found = role(Settings(dynamodb_role=ROLE, dynamodb_external_id=EXTERNAL_ID,
                              allow_plain_http=True))  # fmt: skip
        monkeypatch.delenv("HTTP_PROXY")
        credentials = RenewableCredentials.find(None, found)
        assert credentials.get_frozen_credentials().access_key == "ASIAAssumed0"

    assert proxy.served == ["POST sts.proxied.test"]


def test_a_role_that_does_not_trust_the_caller_is_named_with_its_remedy(sts: Sts) -> None:
    for external_id, shown in (("wrong", "external id wrong"), (None, "no external id")):
        found = role(Settings(dynamodb_role=ROLE, dynamodb_external_id=external_id))
        assert role_problem(session(None, found), found) == (
            f"cannot assume role {ROLE} with {shown} for DynamoDB: {DENIED}{ROLE}. Allow it to "
            "the identity of that message, with this external id, in the role's trust policy "
            "(docs/iam/trust-external-id.json), and grant it docs/iam/assume-role.json"
        )
        credentials = RenewableCredentials.find(None, found)
        with pytest.raises(ConnectionError) as failed:
            credentials.get_frozen_credentials()
        assert str(failed.value) == f"cannot assume role {ROLE} with {shown}: {DENIED}{ROLE}"


def test_a_request_that_sts_quotes_is_neither_shown_nor_logged(
    sts: Sts, caplog: pytest.LogCaptureFixture
) -> None:
    """It has the session token. dbt, if it is imported, prints what others log."""
    sts.message = (
        "The request signature we calculated does not match.\n\nThe Canonical String for this "
        "request should have been\n'POST\n/\n\nx-amz-security-token:hunter2"
    )
    found = role()
    credentials = RenewableCredentials.find(None, found)
    with pytest.raises(ConnectionError) as failed:
        credentials.get_frozen_credentials()

    shown = (
        "An error occurred (SignatureDoesNotMatch) when calling the AssumeRole operation: The "
        "request signature we calculated does not match"
    )
    assert str(failed.value) == f"cannot assume {found}: {shown}"
    assert f"{shown}. Check the credentials" in str(role_problem(session(None, found), found))
    assert caplog.text == ""


def test_credentials_that_have_expired_when_they_are_given_are_a_problem(sts: Sts) -> None:
    sts.seconds = -60  # as with a clock that is wrong
    found = role()

    assert role_problem(session(None, found), found) == (
        f"cannot assume role {ROLE} with external id {EXTERNAL_ID} for DynamoDB: Credentials were "
        "refreshed, but the refreshed credentials are still expired. Check the credentials, "
        "AWS_ENDPOINT_URL_STS and the route to STS"
    )


def test_without_credentials_a_role_cannot_be_assumed(
    sts: Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    found = role()

    with pytest.raises(ConnectionError, match="cannot sign the request: no AWS credentials"):
        RenewableCredentials.find(None, found).get_frozen_credentials()
    assert role_problem(session(None, found), found) == (
        f"cannot assume role {ROLE} with external id {EXTERNAL_ID} for DynamoDB: no AWS "
        "credentials found. Provide those of an identity that the role trusts"
    )


@pytest.mark.parametrize(
    ("endpoint", "problem"),
    [
        (
            "http://sts.example",
            "endpoint of STS must be https:// unless it is on this machine, got "
            "http://sts.example: use https, or accept plain text with --allow-plain-http",
        ),
        (
            "https://me:pass@sts.example",
            "endpoint of STS must be https://host, https://host:port or https://host:port/path, "
            "got https://***@sts.example: correct AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL or the "
            "AWS profile",
        ),
    ],
)
def test_sts_is_asked_over_tls_only(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, problem: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", endpoint)

    with pytest.raises(Refused) as refused:
        reached(by_role(), PLAIN, None, RUN)

    assert refused.value.problems == [problem]


def test_the_options_take_precedence_over_the_export(sts: Sts) -> None:
    declared = Export(**{**vars(PLAIN), "role_arn": f"{ROLE}2", "external_id": "declared"})

    def chosen(settings: Settings) -> tuple[str, str]:
        found = table_role(settings, declared, RUN, None)
        assert found
        return found.arn, found.external_id

    assert [
        chosen(Settings()),
        chosen(Settings(dynamodb_role=ROLE)),
        chosen(Settings(dynamodb_external_id=EXTERNAL_ID)),
        chosen(by_role()),
    ] == [
        (f"{ROLE}2", "declared"),
        (ROLE, "declared"),
        (f"{ROLE}2", EXTERNAL_ID),
        (ROLE, EXTERNAL_ID),
    ]
    assert table_role(Settings(), PLAIN, RUN, None) is None


def test_an_external_id_without_a_role_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        table_role(Settings(dynamodb_external_id=EXTERNAL_ID), PLAIN, RUN, None)

    assert refused.value.problems == [
        f"--dynamodb-external-id must be used with a role, got {EXTERNAL_ID} alone: give "
        "--dynamodb-role, or role_arn of the exposure"
    ]


def test_the_names_of_a_role_are_checked_with_the_options() -> None:
    with pytest.raises(Refused) as refused:
        Settings(dynamodb_role="table-writer", dynamodb_external_id="a b")

    assert refused.value.problems == [
        "--dynamodb-role must be the ARN of an IAM role, got table-writer: give "
        "arn:aws:iam::ACCOUNT:role/NAME",
        "--dynamodb-external-id must be 2 to 1224 letters, digits or _+=,.@:/-, got a b: give that "
        "of the role's trust policy",
    ]
