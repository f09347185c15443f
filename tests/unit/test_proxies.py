"""Proxies are chosen as botocore chooses them, and never print their password."""

import base64

import pytest
from botocore.httpsession import ProxyConfiguration
from botocore.utils import get_environ_proxies
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loader.proxies import Proxy, proxy_for, proxy_problem

HTTPS, HTTP = "https://dynamodb.eu-west-1.amazonaws.com", "http://127.0.0.1:8000/x"
VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy")
ADDRESSES = ["", "http://proxy:3128", "proxy:3128", "//proxy", "http://u:p%40@[::1]:1/", "HTTP://P"]
EXCEPTIONS = ["", "*", "amazonaws.com", ".amazonaws.com, 127.0.0.1", "127.0.0.1:8000", "other"]
AMONG_ADDRESSES = st.none() | st.sampled_from(ADDRESSES)


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "ALL_PROXY", "all_proxy", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("address", "proxy"),
    [
        ("http://proxy.example:3128", Proxy("proxy.example", 3128)),
        ("proxy.example:3128", Proxy("proxy.example", 3128)),
        ("http://proxy.example/", Proxy("proxy.example", 80)),
        ("http://[::1]:3128", Proxy("::1", 3128)),
        (
            "http://me:p%40ss%C3%A9@proxy.example:1",
            Proxy("proxy.example", 1, f"Basic {base64.b64encode('me:p@ssé'.encode()).decode()}"),
        ),
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_the_proxy_of_a_url_is_that_of_the_variable_of_its_scheme(
    monkeypatch: pytest.MonkeyPatch, address: str, proxy: Proxy, variable: str
) -> None:
    monkeypatch.setenv(variable, address)

    assert (proxy_for(HTTPS), proxy_for(HTTP)) == (proxy, None)


@given(
    values=st.tuples(*[AMONG_ADDRESSES] * 4, *[st.none() | st.sampled_from(EXCEPTIONS)] * 2),
    url=st.sampled_from([HTTPS, HTTP, "https://127.0.0.1:8000", "http://localhost"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_proxy_is_that_of_botocore(values: tuple[str | None, ...], url: str) -> None:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in zip(VARIABLES, values, strict=True):
            if value is not None:
                environment.setenv(name, value)
        ours = proxy_for(url)
        botocore = ProxyConfiguration(get_environ_proxies(url))
        address = botocore.proxy_url_for(url)

    if not address:
        assert ours is None
    else:
        assert ours
        assert str(ours).removesuffix(":80") in (
            address.lower().replace("u:p%40@", "").rstrip("/").removesuffix(":80")
        )
        headers = botocore.proxy_headers_for(address)
        assert ours.headers == {name.lower(): value for name, value in headers.items()}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://proxy.example:3128", "https://proxy.example:3128"),
        ("socks5://me:pass@proxy.example:1080", "socks5://***@proxy.example:1080"),
        ("http://me:pass@", "http://***@"),
        ("http://proxy.example:port", "http://proxy.example:port"),
        ("http://proxy.example:70000", "http://proxy.example:70000"),
        ("http://me:12/ss@proxy.example:1", "http://***@proxy.example:1"),
        ("me:pass@proxy.example:0", "***@proxy.example:0"),
    ],
)
def test_a_variable_that_names_no_http_proxy_is_a_problem_without_its_password(
    monkeypatch: pytest.MonkeyPatch, address: str, shown: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)

    assert proxy_problem(HTTPS) == (
        f"HTTPS_PROXY must be http://host:port, got {shown}: name an HTTP proxy, or add "
        "dynamodb.eu-west-1.amazonaws.com to NO_PROXY"
    )


def test_a_proxy_does_not_print_its_password() -> None:
    proxy = Proxy("proxy.example", 3128, "Basic bWU6cGFzcw==")

    assert (str(proxy), repr(proxy)) == (
        "http://proxy.example:3128",
        "Proxy(host='proxy.example', port=3128)",
    )


@pytest.mark.parametrize("login", ["", "me:p%40s%2Fs%3A@", "me:@"])
def test_botocore_gets_the_address_with_user_and_password(
    monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{login}[::1]:3128")
    proxy = proxy_for(HTTPS)

    assert proxy
    assert proxy.address == f"http://{login}[::1]:3128"
