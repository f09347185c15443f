"""Credentials that expire before the worker ends, with botocore and a shared credentials file."""

from pathlib import Path

import pytest
from botocore.exceptions import CredentialRetrievalError

from loader.dynamodb.credentials import RenewableCredentials


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
    credentials = RenewableCredentials.find()
    assert credentials
    return RenewableCredentials(credentials._credentials, clock)


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


def test_a_source_that_does_not_answer_is_a_connection_error() -> None:
    class Dead:
        def get_frozen_credentials(self) -> None:
            raise CredentialRetrievalError(provider="sso", error_msg="no answer")

    with pytest.raises(ConnectionError, match="cannot refresh AWS credentials: Error when"):
        RenewableCredentials(Dead()).get_frozen_credentials()


def test_without_credentials_none_are_found(file: Path) -> None:
    file.unlink()

    assert RenewableCredentials.find() is None
