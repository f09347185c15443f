"""Endpoints of AWS: which may be plain HTTP, and which certificate authorities are trusted.

The authorities come from AWS_CA_BUNDLE, `ca_bundle` in the AWS profile, REQUESTS_CA_BUNDLE or
botocore, in this order:
https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html
"""

import ipaddress
import os
import ssl
from urllib.parse import urlsplit

from loader.proxies import proxy_for, proxy_problem


def is_loopback(host: str) -> bool:
    """True for localhost and loopback addresses, where plain text does not leave the machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def plain_text_problem(service: str, url: str) -> str | None:
    """The problem of a URL that would expose items and session tokens on the network, or None."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return None
    proxy = None
    if is_loopback(parts.hostname or ""):
        if problem := proxy_problem(url):
            return problem
        proxy = proxy_for(url)
        if proxy is None or is_loopback(proxy.host):
            return None
    through = f" through proxy {proxy}: add {parts.hostname} to NO_PROXY," if proxy else ":"
    return (
        f"endpoint of {service} must be https:// unless it is on this machine, got {url}{through} "
        "use https, or accept plain text with --allow-plain-http"
    )


def ca_bundle() -> str | None:
    """The user's file of certificate authorities, looked up on the machine that uses it."""
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    configured: str | None
    try:
        configured = Session().get_config_variable("ca_bundle")
    except BotoCoreError:  # no such AWS profile: the DynamoDB client reports it
        configured = os.environ.get("AWS_CA_BUNDLE")
    return configured or os.environ.get("REQUESTS_CA_BUNDLE")


def context() -> ssl.SSLContext:
    """A context that verifies certificate and host name."""
    from botocore.httpsession import where

    return ssl.create_default_context(cafile=ca_bundle() or where())


def ca_bundle_problem() -> str | None:
    """The problem of the user's file of certificate authorities, or None."""
    try:
        ssl.create_default_context(cafile=(bundle := ca_bundle()))
    except OSError as error:
        cause = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        return (
            f"AWS_CA_BUNDLE or ca_bundle must be a PEM file of certificates, got {bundle} "
            f"({cause}): correct the path, or unset it to trust the default authorities"
        )
    return None
