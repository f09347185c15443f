from urllib.parse import urlsplit

import pytest

from loader.dynamodb.endpoint import Endpoint, first_lines, host_header
from loader.proxies import Proxy

PROXY = Proxy("proxy.example", 3128, "Basic bWU6cGFzcw==")


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("https://dynamodb.eu-west-1.amazonaws.com", "dynamodb.eu-west-1.amazonaws.com"),
        ("https://gateway.example:443/x", "gateway.example"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_the_host_header_has_a_port_unless_it_is_that_of_the_scheme(url: str, header: str) -> None:
    assert host_header(urlsplit(url)) == header


@pytest.mark.parametrize(
    ("url", "proxy", "lines"),
    [
        ("https://gateway.example", None, "POST / HTTP/1.1\r\n"),
        ("https://gateway.example/a%20b/", None, "POST /a%20b/ HTTP/1.1\r\n"),
        ("https://gateway.example/ddb", PROXY, "POST /ddb HTTP/1.1\r\n"),
        (
            "http://127.0.0.1:8000/ddb",
            PROXY,
            "POST http://127.0.0.1:8000/ddb HTTP/1.1\r\n"
            "proxy-authorization: Basic bWU6cGFzcw==\r\n",
        ),
        (
            "http://127.0.0.1:8000",
            Proxy("proxy.example", 3128),
            "POST http://127.0.0.1:8000/ HTTP/1.1\r\n",
        ),
    ],
)
def test_only_a_request_in_plain_text_shows_the_proxy_its_url_and_the_login(
    url: str, proxy: Proxy | None, lines: str
) -> None:
    assert first_lines(urlsplit(url), proxy) == lines


def test_an_endpoint_prints_its_proxy_without_the_login() -> None:
    endpoint = Endpoint("https://gateway.example", "eu-west-1", "items", PROXY)

    assert str(endpoint) == "https://gateway.example through proxy http://proxy.example:3128"
    assert "bWU6cGFzcw" not in repr(endpoint)
