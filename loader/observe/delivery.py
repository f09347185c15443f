"""Send the end of a run to its channels: bounded in time, and never a reason for a run to fail."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import replace

from loader.background import in_background
from loader.errors import StorageFailed, reason
from loader.observe import emf, message
from loader.observe.channels import Channels, site
from loader.observe.outcomes import INTERRUPTED
from loader.observe.run_end import RunEnd
from loader.printable import printable
from loader.report.files import REPORT_FILE, save
from loader.report.totals import Report
from loader.storage.location import Location

DELIVERY_SECONDS = 20.0
# After a signal the process is killed soon: docker stop waits 10 s.
INTERRUPTED_SECONDS = 5.0
# A delivery returns why it failed, once per thing that was not delivered.
Delivery = Callable[[], Sequence[str]]


def deliver(end: RunEnd, channels: Channels) -> list[str]:
    """Send the end of the run, print what could not be delivered, and then its metrics.

    Returns what could not be delivered.
    """
    seconds = INTERRUPTED_SECONDS if end.outcome == INTERRUPTED else DELIVERY_SECONDS
    problems = _undelivered(_deliveries(end, channels), seconds)
    for problem in problems:
        print(printable(problem), file=sys.stderr)
    if channels.emf:
        for line in emf.lines(end, len(problems)):
            print(line, file=sys.stderr if channels.json else sys.stdout)
    return problems


def note(report: Report, problems: Sequence[str]) -> None:
    """Save the report again with what could not be delivered; its run has ended."""
    folder = Location(report.folder)
    try:
        if folder.exists(REPORT_FILE):
            save(replace(report, notes=[*report.notes, *problems]), folder)
    except StorageFailed as error:
        print(f"warning: the run has ended, but {error}", file=sys.stderr)


def _deliveries(end: RunEnd, channels: Channels) -> dict[str, Delivery]:
    """What to send, by what a message calls it."""
    deliveries: dict[str, Delivery] = {}
    if channels.otel:
        deliveries["OpenTelemetry"] = lambda: _otel(end)
    if not channels.notifies or not message.is_notified(end, channels.notify_on):
        return deliveries
    url, topic = channels.url, channels.topic
    if url:
        deliveries[f"the webhook at {site(url)}"] = lambda: _webhook(url, end)
    if topic:
        deliveries[topic] = lambda: _sns(topic, end, channels.plain_http)
    return deliveries


def _otel(end: RunEnd) -> Sequence[str]:
    from loader.observe import otel

    return otel.send(end)


def _webhook(url: str, end: RunEnd) -> Sequence[str]:
    from loader.observe import webhook

    return [*filter(None, [webhook.post(url, message.body(end))])]


def _sns(topic: str, end: RunEnd, plain_http: bool) -> Sequence[str]:
    from loader.observe import sns

    problem = sns.publish(topic, message.subject(end), message.body(end), plain_http)
    return [*filter(None, [problem])]


def _undelivered(deliveries: Mapping[str, Delivery], seconds: float) -> list[str]:
    """What was not delivered in time, as messages. All are sent at the same time."""
    started = {place: in_background(delivery) for place, delivery in deliveries.items()}
    until, problems = time.monotonic() + seconds, []
    for place, future in started.items():
        problems += [
            f"cannot send the end of the run to {place}: {cause}. The run itself is not affected: "
            "its report has everything"
            for cause in _causes(future, until, seconds)
        ]
    return problems


def _causes(future: "Future[Sequence[str]]", until: float, seconds: float) -> Sequence[str]:
    try:
        return future.result(timeout=max(0.0, until - time.monotonic()))
    except NotInTime:
        return [f"no answer within {seconds:g} s"]
    except Exception as error:  # noqa: BLE001  a library's error must not be that of the run
        return [f"{type(error).__name__} ({reason(error)})"]
