from pathlib import Path

import pytest

from pip_settings import uv_variables

LISTING = """
:env:.index-url='https://user:secret@mirror.example/simple'
global.cert='/etc/global.pem'
global.extra-index-url='https://a.example/simple\\nhttps://b.example/simple'
global.index-url='https://global.example/simple'
global.no-cache-dir='1'
install.cert='/etc/install.pem'
"""


def test_variables_of_the_environment_come_before_the_files_of_pip() -> None:
    assert uv_variables(LISTING, {}) == {
        "UV_DEFAULT_INDEX": "https://user:secret@mirror.example/simple",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "SSL_CERT_FILE": "/etc/install.pem",
    }


def test_a_variable_that_is_set_stays() -> None:
    set_already = {"UV_DEFAULT_INDEX": "x", "SSL_CERT_FILE": "y", "UV_INDEX": "z"}

    assert uv_variables(LISTING, set_already) == {"UV_INDEX_STRATEGY": "unsafe-best-match"}


@pytest.mark.parametrize(
    ("setting", "variables"),
    [
        (":env:.trusted-host='a.example b:8443'", {"UV_INSECURE_HOST": "a.example b:8443"}),
        ("global.proxy='http://proxy.example:3128'", {"ALL_PROXY": "http://proxy.example:3128"}),
        (":env:.no-index='1'", {"UV_NO_INDEX": "1"}),
        (":env:.default-timeout='180'", {"UV_HTTP_TIMEOUT": "180"}),
        ("global.client-cert='c.pem'", {"SSL_CLIENT_CERT": "c.pem"}),
        ("", {}),
    ],
)  # fmt: skip
def test_each_setting_of_pip_has_its_variable(setting: str, variables: dict[str, str]) -> None:
    assert uv_variables(setting, {}) == variables


def test_links_are_separated_by_commas_and_missing_folders_are_left_out(tmp_path: Path) -> None:
    listing = f":env:.find-links='{tmp_path} {tmp_path / 'none'} https://links.example/'"

    assert uv_variables(listing, {}) == {"UV_FIND_LINKS": f"{tmp_path},https://links.example/"}
