"""Where the end of a run is sent: what the options and the environment ask for."""

import os
import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from loader.observe.outcomes import NEVER, PROBLEM, WORDS
from loader.proxies import proxy_problem
from loader.tls import plain_text_problem

EMF = "emf"
# https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
TOPIC = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}")
URL = re.compile(r"https?://[!-~]+")
OTLP = "opentelemetry.exporter.otlp.proto.http"
OTLP_DEFAULT = "http://localhost:4318"


@dataclass(frozen=True)
class Channels:
    """What is sent, and where. The URL may have a token: it is in no `repr`.

    With `json`, standard output has the results: metrics go to standard error.
    """

    emf: bool = False
    otel: bool = False
    topic: str | None = None
    url: str | None = field(default=None, repr=False)
    notify_on: Collection[str] = (PROBLEM,)
    plain_http: bool = False
    json: bool = False

    @property
    def any(self) -> bool:
        return bool(self.emf or self.otel or self.notifies)

    @property
    def notifies(self) -> bool:
        return bool(self.topic or self.url) and NEVER not in self.notify_on

    def problems(self) -> list[str]:
        """What must be corrected before a run begins."""
        unknown = [word for word in self.notify_on if word not in WORDS]
        found = [
            f"--notify-on must be {', '.join(WORDS)} or some of them with commas, got {word}: "
            "correct it"
            for word in unknown
        ]
        return [*found, *filter(None, [self._topic_problem(), self._url_problem(), *self._otel()])]

    def usable(self) -> "Channels":
        """The same without what has a problem, which is reported before."""
        return replace(
            self,
            topic=None if self._topic_problem() else self.topic,
            url=None if self._url_problem() else self.url,
            otel=self.otel and not self._otel(),
        )

    def _topic_problem(self) -> str | None:
        if not self.topic or TOPIC.fullmatch(self.topic):
            return None
        if "://" in self.topic:
            return (
                "--notify must be the ARN of an SNS topic, got an address, which may have a secret "
                "and which every user of this machine could see: set LOADER_NOTIFY_URL to it"
            )
        return (
            f"--notify must be the ARN of an SNS topic, got {self.topic}: give it as "
            "arn:aws:sns:REGION:ACCOUNT:NAME"
        )

    def _url_problem(self) -> str | None:
        if not self.url:
            return None
        # urllib knows no user. A path may have an @, as those of Teams have.
        is_address = URL.fullmatch(self.url) and _is_address(self.url)
        if not is_address or "@" in urlsplit(self.url).netloc:
            return (
                "LOADER_NOTIFY_URL must be https://host/path without a space or a user, got "
                "another text, which is not shown because it may have a secret: correct it"
            )
        return self._plain_text("the webhook", self.url) or proxy_problem(self.url)

    def _otel(self) -> list[str]:
        if not self.otel:
            return []
        if not _is_installed(OTLP):
            return [
                "--otel must have the packages of OpenTelemetry, got none: "
                "install the wheel of `make package` with the extra otel"
            ]
        urls = {
            name: os.environ.get(name)
            for name in (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            )
        }
        urls["OTEL_EXPORTER_OTLP_ENDPOINT"] = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        problems = []
        for name, url in urls.items():
            if url and not _is_address(url):
                problems.append(
                    f"{name} must be https://host:port, got another text, which is not shown "
                    "because it may have a secret: correct it"
                )
            elif url and (problem := self._plain_text("OpenTelemetry", url)):
                problems.append(problem)
        return problems

    def _plain_text(self, service: str, url: str) -> str | None:
        return None if self.plain_http else plain_text_problem(service, site(url))


def site(url: str) -> str:
    """An address as messages name it: without user, path and query, which may be secret."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"


def channels_of(options: Any) -> Channels:
    """Those that the options of a command, or its settings, ask for."""
    words = getattr(options, "notify_on", None)
    return Channels(
        emf=getattr(options, "metrics", None) == EMF,
        otel=bool(getattr(options, "otel", False)),
        topic=getattr(options, "notify", None),
        url=os.environ.get("LOADER_NOTIFY_URL") or None,
        notify_on=words.split(",") if words else (PROBLEM,),
        plain_http=bool(getattr(options, "allow_plain_http", False)),
        json=bool(getattr(options, "json", False)),
    )


def _is_address(url: str) -> bool:
    """Whether it is an http(s) address with a host, and a valid port if it has one."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False
