import pytest

from loader.tls import plain_text_problem


@pytest.mark.parametrize(
    "url",
    [
        "https://dynamodb.eu-west-1.amazonaws.com",
        "https://10.0.0.7:8000",
        "http://localhost:8000",
        "http://LOCALHOST",
        "http://127.0.0.9:8000",
        "http://[::1]:8000",
    ],
)
def test_https_and_loopback_addresses_are_accepted(url: str) -> None:
    assert plain_text_problem("DynamoDB", url) is None


def test_a_proxy_on_another_machine_makes_a_plain_text_request_leave_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://me:pass@proxy.example:3128")
    monkeypatch.setenv("no_proxy", "127.0.0.2")

    problems = [plain_text_problem("S3", f"http://127.0.0.{n}:8000") for n in (1, 2)]

    assert problems == [
        "endpoint of S3 must be https:// unless it is on this machine, got http://127.0.0.1:8000 "
        "through proxy http://proxy.example:3128: add 127.0.0.1 to NO_PROXY, "
        "use https, or accept plain text with --allow-plain-http",
        None,
    ]


@pytest.mark.parametrize(
    "url",
    [
        "http://dynamodb.eu-west-1.amazonaws.com",
        "http://dynamodb:8000",
        "http://127.0.0.1.example.com",
        "http://localhost@example.com",
        "http://169.254.169.254",
        "http://[fe80::1]:8000",
        "HTTP://example.com",
        "ftp://example.com",
        "example.com:8000",
    ],
)
def test_plain_text_to_another_machine_is_a_problem(url: str) -> None:
    assert plain_text_problem("DynamoDB", url) == (
        f"endpoint of DynamoDB must be https:// unless it is on this machine, got {url}: "
        "use https, or accept plain text with --allow-plain-http"
    )
