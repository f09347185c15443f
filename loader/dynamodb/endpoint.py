"""The address of a table."""

from dataclasses import dataclass
from urllib.parse import SplitResult


@dataclass(frozen=True)
class Endpoint:
    """The address of a table, picklable: each process finds its own credentials."""

    url: str
    region: str
    table: str


def host_header(endpoint: SplitResult) -> str:
    """The Host header: with the port, unless it is the default of the scheme."""
    host = endpoint.hostname or ""
    host = f"[{host}]" if ":" in host else host
    default = {"http": 80, "https": 443}.get(endpoint.scheme)
    return host if endpoint.port in (None, default) else f"{host}:{endpoint.port}"
