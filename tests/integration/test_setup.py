"""`make setup` behind a mirror: uv uses the index and the certificates of pip's settings."""

import functools
import os
import subprocess
import sys
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.repository import REPOSITORY
from tests.support.tls_proxies import make_certificate

pytestmark = pytest.mark.integration

WHEEL = "only_in_the_mirror-1.0-py3-none-any.whl"
INFO = "only_in_the_mirror-1.0.dist-info"


def make_index(folder: Path) -> None:
    """A package index with one package."""
    package = folder / "simple" / "only-in-the-mirror"
    package.mkdir(parents=True)
    with zipfile.ZipFile(package / WHEEL, "w") as wheel:
        head = "Metadata-Version: 2.1\nName: only-in-the-mirror\nVersion: 1.0\n"
        wheel.writestr(f"{INFO}/METADATA", head)
        wheel.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{INFO}/RECORD", "")
    (package / "index.html").write_text(f'<a href="{WHEEL}">{WHEEL}</a>')


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_uv_of_make_setup_uses_pips_index_and_certificate(tmp_path: Path) -> None:
    make_index(tmp_path / "index")
    # uv does not accept the certificate of an authority from a server.
    extension = "basicConstraints=critical,CA:FALSE"
    certificate = make_certificate(tmp_path / "tls", "IP:127.0.0.1", extension)
    handler = functools.partial(_Silent, directory=str(tmp_path / "index"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = certificate.context().wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ours = ("PIP_", "UV_", "SSL_CERT_", "ALL_PROXY", "HTTPS_PROXY", "https_proxy")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        environment |= {
            "PIP_INDEX_URL": f"https://127.0.0.1:{server.server_port}/simple",
            "PIP_CERT": str(certificate.file),
            "UV_NO_CACHE": "1",
        }
        settings = f'eval "$({sys.executable} pip_settings.py)"'
        uv = Path(sys.executable).with_name("uv")
        done = subprocess.run(
            [
                "bash",
                "-c",
                f"{settings} && echo only-in-the-mirror | {uv} pip compile --no-header -",
            ],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        server.shutdown()

    assert done.stdout == "only-in-the-mirror==1.0\n", done.stderr
