"""POST a notification to a webhook. No message has more of its address than scheme and host."""

import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from loader import tls
from loader.errors import reason
from loader.proxies import proxy_for

ATTEMPTS = 3
TIMEOUT_SECONDS = 5.0
PAUSE_SECONDS = 1.0  # at most before the second attempt, twice that before the third
TOO_MANY, SERVER_ERROR = 429, 500


def post(
    url: str,
    document: str,
    pause: Callable[[float], None] = time.sleep,
    timeout: float = TIMEOUT_SECONDS,
) -> str | None:
    """Post the JSON document; returns why it was not accepted, or None.

    An answer of 2xx accepts it. Without an answer, or with 429 or 5xx, it is sent again.
    """
    opener = _opener(url)
    headers = {"Content-Type": "application/json", "User-Agent": "redshift-to-dynamodb"}
    cause = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            pause(random.uniform(0, PAUSE_SECONDS * attempt))  # noqa: S311
        # A new one: urllib changes it for a proxy, and would send it again without TLS.
        request = urllib.request.Request(url, document.encode(), headers, method="POST")  # noqa: S310
        try:
            with opener.open(request, timeout=timeout):
                return None
        except urllib.error.HTTPError as error:
            cause = f"it answered {error.code}"
            error.close()
            if error.code != TOO_MANY and error.code < SERVER_ERROR:
                return cause
        except urllib.error.URLError as error:
            cause = reason(error.reason)
        except (OSError, HTTPException) as error:
            cause = reason(error) or type(error).__name__
    return cause


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would turn the POST into a GET, perhaps of another host: it is an error."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _opener(url: str) -> urllib.request.OpenerDirector:
    proxy = proxy_for(url)
    proxies = {url.partition(":")[0]: proxy.address} if proxy else {}
    handlers: list[Any] = [urllib.request.ProxyHandler(proxies), _NoRedirect()]
    if url.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=tls.context()))
    return urllib.request.build_opener(*handlers)
