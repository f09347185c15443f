"""The address of a table."""

from dataclasses import dataclass
from urllib.parse import SplitResult

from loader.assumed_role import AssumedRole
from loader.proxies import Proxy


@dataclass(frozen=True)
class Endpoint:
    """The address of a table, picklable: each process finds its own credentials.

    With a role it assumes the role with them. The proxy is the driver's: the environment of an
    executor may name another, or none.
    """

    url: str
    region: str
    table: str
    proxy: Proxy | None = None
    role: AssumedRole | None = None

    def __str__(self) -> str:
        return f"{self.url} through proxy {self.proxy}" if self.proxy else self.url


def host_header(endpoint: SplitResult) -> str:
    """The Host header: with the port, unless it is the default of the scheme."""
    host = endpoint.hostname or ""
    host = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}.get(endpoint.scheme)
    return host if endpoint.port in (None, default) else f"{host}:{endpoint.port}"


def first_lines(endpoint: SplitResult, proxy: Proxy | None) -> str:
    """The first line of a request, and the headers for the proxy if it forwards the request.

    A request over TLS goes through a tunnel, in which the proxy cannot see it.
    """
    path = endpoint.path or "/"
    if proxy is None or endpoint.scheme == "https":
        return f"POST {path} HTTP/1.1\r\n"
    headers = "".join(f"{name}: {value}\r\n" for name, value in proxy.headers.items())
    return f"POST {endpoint.scheme}://{host_header(endpoint)}{path} HTTP/1.1\r\n{headers}"
