"""One chain of credentials and region, and credentials that expire before a worker ends."""

from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError

from loader.aws import Misconfigured, RenewableCredentials, endpoint_problem, session

KEYS = "aws_access_key_id = k\naws_secret_access_key = s\n"


def write(file: Path, key: str) -> None:
    file.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = s\n")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    write(tmp_path / "credentials", "old")
    return tmp_path / "credentials"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def find(clock: Clock) -> RenewableCredentials:
    return RenewableCredentials(RenewableCredentials.find()._credentials, clock)


def test_renew_reads_the_file_again_at_most_once_per_second(file: Path) -> None:
    clock = Clock()
    credentials = find(clock)
    keys = []
    for now, key in [(0.5, "second"), (1.0, "third"), (1.9, "fourth"), (2.0, "fifth")]:
        write(file, key)
        clock.now = now
        credentials.renew()
        keys.append(credentials.get_frozen_credentials().access_key)

    assert keys == ["old", "third", "third", "fifth"]


@pytest.mark.parametrize("content", ["", "[default", "[other]\nx = 1\n"])
def test_a_file_without_credentials_leaves_the_old_ones(file: Path, content: str) -> None:
    clock = Clock()
    credentials = find(clock)
    file.write_text(content)
    clock.now = 2.0
    credentials.renew()

    assert credentials.get_frozen_credentials().access_key == "old"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (CredentialRetrievalError(provider="sso", error_msg="no answer"), "Error when"),
        (ClientError({"Error": {"Code": "AccessDenied"}}, "AssumeRole"), "An error occurred"),
    ],
)
def test_a_source_that_does_not_answer_is_a_connection_error(
    error: Exception, message: str
) -> None:
    class Dead:
        def get_frozen_credentials(self) -> None:
            raise error

    with pytest.raises(ConnectionError, match=f"cannot refresh AWS credentials: {message}"):
        RenewableCredentials(Dead()).get_frozen_credentials()


class Temporary:
    """Credentials whose source gives others at each use, or does not answer."""

    def __init__(self) -> None:
        self.uses, self.answers = 0, True

    def get_frozen_credentials(self) -> str:
        self.uses += 1
        if not self.answers:
            raise CredentialRetrievalError(provider="sso", error_msg="throttled")
        return f"key{self.uses}"


def test_a_source_is_asked_once_a_minute_and_not_at_each_request(file: Path) -> None:
    """botocore asks at each use in the last 15 minutes, which is the life of some credentials."""
    clock, source = Clock(), Temporary()
    credentials = RenewableCredentials(source, clock)
    keys = []
    for clock.now in (0, 1, 59.9, 60, 61, 119.9, 120):
        keys.append(credentials.get_frozen_credentials())

    assert keys == ["key1"] * 3 + ["key2"] * 3 + ["key3"]


def test_while_a_source_does_not_answer_credentials_are_used_until_aws_refuses_them(
    file: Path,
) -> None:
    clock, source = Clock(), Temporary()
    credentials = RenewableCredentials(source, clock)
    credentials.get_frozen_credentials()
    source.answers = False
    keys = []
    for clock.now in (60.0, 61.0, 600.0):
        credentials._renewed = clock.now  # there are no others
        keys.append(credentials.get_frozen_credentials())
    assert (keys, source.uses) == (["key1"] * 3, 3)

    credentials.renew()
    with pytest.raises(ConnectionError, match="throttled"):
        credentials.get_frozen_credentials()
    source.answers = True
    assert credentials.get_frozen_credentials() == "key5"


def test_credentials_that_were_not_found_at_first_are_searched_for_again(file: Path) -> None:
    clock = Clock()
    file.unlink()
    found = RenewableCredentials.find()
    credentials = RenewableCredentials(found._credentials, clock)
    for clock.now in (0.5, 1.5):
        with pytest.raises(ConnectionError) as failed:
            credentials.get_frozen_credentials()
        assert str(failed.value) == "cannot sign the request: no AWS credentials found"

    write(file, "late")
    clock.now = 2.6
    assert credentials.get_frozen_credentials().access_key == "late"


def test_a_source_that_fails_at_first_is_asked_again_and_its_error_is_the_cause(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the container credentials of EKS and ECS, whose agent may not answer at once."""
    config = file.parent / "config"
    config.write_text(f"[default]\ncredential_process = cat {file.parent / 'keys'}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    file.unlink()

    credentials = RenewableCredentials.find()
    with pytest.raises(ConnectionError) as failed:
        credentials.get_frozen_credentials()
    assert str(failed.value).startswith(
        "cannot sign the request: no AWS credentials found: Error when retrieving credentials "
        "from custom-process: "
    )

    (file.parent / "keys").write_text('{"Version":1,"AccessKeyId":"late","SecretAccessKey":"s"}')
    credentials._renewed -= 1
    assert credentials.get_frozen_credentials().access_key == "late"


def test_a_setting_that_is_refused_is_not_searched_for_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    with pytest.raises(Misconfigured):
        RenewableCredentials.find()


@pytest.mark.parametrize(
    ("region", "default", "of_profile", "expected"),
    [
        ("eu-west-1", None, "eu-north-1", "eu-west-1"),
        (None, "eu-west-1", "eu-north-1", "eu-west-1"),
        ("eu-west-1", "eu-west-1", "eu-north-1", "eu-west-1"),
        (None, None, "eu-north-1", "eu-north-1"),
        ("", "", "eu-north-1", "eu-north-1"),
        ("eu-west-1", "", "eu-north-1", "eu-west-1"),
    ],
)
def test_the_region_is_that_of_either_variable_or_of_the_profile(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    region: str | None,
    default: str | None,
    of_profile: str,
    expected: str,
) -> None:
    (file.parent / "config").write_text(f"[default]\nregion = {of_profile}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file.parent / "config"))
    for name, value in (("AWS_REGION", region), ("AWS_DEFAULT_REGION", default)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)

    assert session().create_client("dynamodb").meta.region_name == expected
    assert session("us-west-2").create_client("dynamodb").meta.region_name == "us-west-2"


def test_an_empty_region_is_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "")

    with pytest.raises(BotoCoreError, match="You must specify a region"):
        session().create_client("dynamodb")


def test_two_variables_with_different_regions_are_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    with pytest.raises(Misconfigured) as refused:
        session()

    assert str(refused.value) == (
        "AWS_REGION and AWS_DEFAULT_REGION must be the same, got eu-west-1 and us-east-1: set the "
        "region of the table in both, or unset one of them"
    )
    # Executors get the region from the driver.
    assert session("eu-west-1").get_config_variable("region") == "eu-west-1"


@pytest.mark.parametrize("place", ["prod", "base"])
def test_a_role_that_needs_an_mfa_code_is_refused_before_it_is_asked_for(
    file: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    mfa = "mfa_serial = arn:aws:iam::123456789012:mfa/ann\n"
    role = "role_arn = arn:aws:iam::123456789012:role/loader\n"
    (file.parent / "config").write_text(
        f"[profile prod]\n{role}source_profile = base\n{mfa if place == 'prod' else ''}"
        f"[profile base]\n{role}source_profile = keys\n{mfa if place == 'base' else ''}"
    )
    file.write_text(f"[keys]\n{KEYS}")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file.parent / "config"))
    monkeypatch.setenv("AWS_PROFILE", "prod")

    with pytest.raises(Misconfigured) as refused:
        session()

    assert str(refused.value) == (
        f"AWS profile {place} must not need an MFA code, which Spark's workers cannot ask for, got "
        "mfa_serial: sign in before the load with "
        f'`eval "$(aws configure export-credentials --profile {place} --format env)"`'
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")  # as the remedy does
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert session().get_credentials().access_key == "k"


def test_a_role_without_mfa_or_a_profile_that_does_not_exist_is_not_mistaken_for_one_with_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file.parent / "config").write_text(
        "[profile prod]\nrole_arn = arn:aws:iam::123456789012:role/loader\n"
        f"source_profile = prod\n{KEYS}"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file.parent / "config"))
    monkeypatch.setenv("AWS_PROFILE", "prod")
    assert session().get_credentials().method == "assume-role"

    monkeypatch.setenv("AWS_PROFILE", "none")
    with pytest.raises(BotoCoreError, match=r"The config profile \(none\) could not be found"):
        session()


@pytest.mark.parametrize(
    "url", ["https://a.example", "HTTP://[::1]:8000/", "https://a.example:8443/ddb/v1.0/~x%20"]
)
def test_an_endpoint_is_a_scheme_a_host_a_port_and_a_path(url: str) -> None:
    assert endpoint_problem("DynamoDB", url) is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pass@a.example", "https://***@a.example"),
        ("me:pa/ss@a.example", "***@a.example"),
        ("https://a.example/?x=1", "https://a.example/?x=1"),
        ("https://a.example/a b", "https://a.example/a b"),
        ("https://a.example/é", "https://a.example/é"),
        ("https://a.example:70000", "https://a.example:70000"),
        ("ftp://a.example", "ftp://a.example"),
    ],
)
def test_any_other_endpoint_is_a_problem_that_shows_no_password(url: str, shown: str) -> None:
    assert endpoint_problem("S3", url) == (
        "endpoint of S3 must be https://host, https://host:port or https://host:port/path, "
        f"got {shown}: correct AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the AWS profile"
    )
