"""HTTP proxies of the environment: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, in either case.

They are chosen as botocore chooses them, so that every request to AWS takes the same way:
https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-proxy.html
"""

import base64
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from loader.redaction import without_user

# By the scheme of the endpoint, not of the proxy.
VARIABLES = {"https": "HTTPS_PROXY", "http": "HTTP_PROXY"}
DEFAULT_PORT = 80
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Proxy:
    """A forward proxy; neither `str` nor `repr` has the user and the password."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def address(self) -> str:
        """The URL with user and password, for botocore."""
        login = base64.b64decode(self.authorization.removeprefix("Basic ")).decode()
        user, _, password = login.partition(":")
        begin = f"{quote(user, safe='')}:{quote(password, safe='')}@" if login else ""
        return str(self).replace("//", f"//{begin}", 1)

    @property
    def headers(self) -> dict[str, str]:
        """What a request to the proxy itself must have."""
        return {"proxy-authorization": self.authorization} if self.authorization else {}


def proxy_for(url: str) -> Proxy | None:
    """The proxy for requests to the URL; None for a direct connection.

    Raises ValueError, with a message for the user, if the variable does not name an HTTP proxy.
    """
    endpoint = urlsplit(url)
    address = getproxies().get(endpoint.scheme, "").strip()
    if not address or proxy_bypass(endpoint.netloc):
        return None
    parts = _split(address)
    if parts is None:
        raise ValueError(
            f"{VARIABLES[endpoint.scheme]} must be http://host:port, got "
            f"{without_user(address)}: name an HTTP proxy, or add {endpoint.hostname} to NO_PROXY"
        )
    return Proxy(parts.hostname or "", parts.port or DEFAULT_PORT, _authorization(parts))


def proxy_problem(url: str) -> str | None:
    """Why the proxy for the URL cannot be used, or None."""
    try:
        proxy_for(url)
    except ValueError as error:
        return str(error)
    return None


def _split(address: str) -> SplitResult | None:
    """The parts of the address of an HTTP proxy; None for any other."""
    if not SCHEME.match(address):
        address = f"http://{address.removeprefix('//')}"
    try:
        parts = urlsplit(address)
        # A path has the rest of a password with a slash.
        valid = parts.scheme == "http" and parts.hostname and parts.port != 0
        valid = valid and parts.path in ("", "/")
    except ValueError:
        return None
    return parts if valid else None


def _authorization(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    user, password = unquote(parts.username), unquote(parts.password or "")
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
