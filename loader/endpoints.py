"""Which addresses may be spoken to in plain text: those of this machine."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """True for localhost and the loopback addresses, where plain text leaves no machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def plain_text_problem(service: str, url: str) -> str | None:
    """Why the URL of an AWS service would show items and session tokens on the way, or None."""
    parts = urlsplit(url)
    if parts.scheme == "https" or is_loopback(parts.hostname or ""):
        return None
    return (
        f"endpoint of {service} must be https:// unless it is on this machine, got {url}: "
        "use https, or accept plain text with --allow-plain-http"
    )
