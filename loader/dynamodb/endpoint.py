"""Where a table is."""

from dataclasses import dataclass
from urllib.parse import SplitResult


@dataclass(frozen=True)
class Endpoint:
    """Where a table is: picklable, credentials are looked up where the requests are made."""

    url: str
    region: str
    table: str


def host_header(endpoint: SplitResult) -> str:
    """The Host of a request: the port only where it is not the scheme's own."""
    host = endpoint.hostname or ""
    host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}.get(endpoint.scheme)
    return host if endpoint.port in (None, usual) else f"{host}:{endpoint.port}"
