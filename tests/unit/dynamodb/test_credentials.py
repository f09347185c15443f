"""Credentials that end before the worker does, by botocore and a shared credentials file."""

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


def found(clock: Clock) -> RenewableCredentials:
    credentials = RenewableCredentials.find()
    assert credentials
    return RenewableCredentials(credentials._found, clock)


def test_a_renewed_file_is_read_when_asked_for_and_not_more_than_once_a_second(file: Path) -> None:
    clock = Clock()
    credentials = found(clock)
    keys = []
    for now, key in [(0.5, "second"), (1.0, "third"), (1.9, "fourth"), (2.0, "fifth")]:
        write(file, key)
        clock.now = now
        credentials.renew()
        keys.append(credentials.get_frozen_credentials().access_key)

    assert keys == ["old", "third", "third", "fifth"]


@pytest.mark.parametrize("content", ["", "[default", "[other]\nx = 1\n"])
def test_a_file_that_has_none_at_the_moment_leaves_the_old_ones(file: Path, content: str) -> None:
    clock = Clock()
    credentials = found(clock)
    file.write_text(content)
    clock.now = 2.0
    credentials.renew()

    assert credentials.get_frozen_credentials().access_key == "old"


def test_a_source_that_does_not_answer_is_a_broken_connection() -> None:
    class Dead:
        def get_frozen_credentials(self) -> None:
            raise CredentialRetrievalError(provider="sso", error_msg="no answer")

    with pytest.raises(ConnectionError, match="AWS credentials must be refreshed, got Error when"):
        RenewableCredentials(Dead()).get_frozen_credentials()


def test_without_any_there_is_nothing_to_renew(file: Path) -> None:
    file.unlink()

    assert RenewableCredentials.find() is None
