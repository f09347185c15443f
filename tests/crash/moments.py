"""The moment of a crash: a request to AWS, or a file, at which processes are killed or stopped.

A proxy in front of the sandbox sees the requests of one run. Their kinds:

    BatchWriteItem                        to DynamoDB; other operations by their names as well
    PUT current.json, PUT changes/…       to S3, with the path below the folder of the run or export
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.tls_proxies import Request, http_proxy

RUN_FOLDER = re.compile(r".*/(?:runs/[^/?]+/|crash_\d+/)")
POLL_SECONDS = 0.001


@dataclass(frozen=True)
class Moment:
    """The `number`-th request of this kind; `lands` is whether it has an effect.

    The answer never comes. With `file`, the moment is the appearance of a file that matches the
    pattern instead.
    """

    phase: str
    kind: str
    number: int = 1
    lands: bool = True
    file: bool = False

    def __str__(self) -> str:
        effect = "" if self.file else " lands" if self.lands else " is lost"
        return f"{self.kind} #{self.number}{effect}"


def kind_of(request: Request) -> str:
    if request.target:
        return request.target
    path = RUN_FOLDER.sub("", request.path.partition("?")[0])
    return f"{request.method} {path}"


@dataclass
class Watched:
    """A proxy in front of AWS: the times of the writes that it forwarded, and what it saw."""

    port: int = 0
    writes: list[float] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    struck: threading.Event = field(default_factory=threading.Event)

    def wait(self, over: threading.Event) -> bool:
        """Wait until the moment has come; False if `over` is set before."""
        while not self.struck.wait(POLL_SECONDS * 20):
            if over.is_set():
                return self.struck.is_set()
        return True


@contextmanager
def watched(
    upstream_port: int,
    moment: Moment | None = None,
    strike: Callable[[], None] = lambda: None,
    delay: float = 0.0,
) -> Iterator[Watched]:
    """Forward requests to the sandbox; call `strike` at the moment, before its request lands.

    `delay` is the time that each BatchWriteItem takes, in seconds.
    """
    watched = Watched()
    lock = threading.Lock()
    left = moment.number if moment and not moment.file else 0

    def fault(request: Request) -> tuple[int, bytes | None] | None:
        nonlocal left
        kind = kind_of(request)
        hit = False
        with lock:
            watched.kinds.append(kind)
            if moment and left and re.fullmatch(moment.kind, kind):
                left -= 1
                hit = left == 0
        if request.target == "BatchWriteItem":
            time.sleep(delay)
        if hit and moment:
            strike()
            watched.struck.set()
            if not moment.lands:
                raise ConnectionAbortedError("the request is lost")
        if request.target == "BatchWriteItem":
            watched.writes.append(time.monotonic())
        return (200, None) if hit else None

    with http_proxy(upstream_port, fault=fault) as proxy:
        watched.port = proxy.port
        yield watched


def files(folder: Path) -> set[tuple[str, int, int]]:
    """The versions of files below a folder: a file that is replaced is another one."""
    versions = set()
    for path in folder.rglob("*"):
        with suppress(OSError):
            status = path.stat()
            versions.add((str(path), status.st_ino, status.st_mtime_ns))
    return versions


def strike_at_file(
    folder: Path, moment: Moment, strike: Callable[[], None], over: threading.Event
) -> bool:
    """Strike when the `number`-th new file matches; False if `over` is set before."""
    seen, left = files(folder), moment.number
    while not over.is_set():
        with suppress(OSError):  # a folder was removed meanwhile
            new = files(folder) - seen
            seen |= new
            left -= sum(re.search(moment.kind, path) is not None for path, *_ in new)
            if left <= 0:
                strike()
                return True
        time.sleep(POLL_SECONDS)
    return False
