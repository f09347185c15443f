"""One trace and the metrics of a run, sent by OTLP over HTTP: needs the extra `otel`.

Endpoint, headers, certificates and resource attributes are those of OpenTelemetry's variables:
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import requests
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import Span, Status, StatusCode

from loader.errors import reason
from loader.observe.figures import PREFIX, UNITS
from loader.observe.run_end import ExportEnd, RunEnd
from loader.report.timing import Step

NAME = "redshift-to-dynamodb"
EXPORTER = "opentelemetry.exporter."
NANOSECONDS = 1_000_000_000
TIMEOUT_SECONDS = 5.0  # of one signal, attempts of the exporter included
REDIRECT, CLIENT_ERROR = 300, 400
PROVIDER = re.compile(r"OTEL_PYTHON_EXPORTER_OTLP_HTTP_(\w+_)?CREDENTIAL_PROVIDER")
URL_PATH = re.compile(r" with url: \S+")
SYSTEM_ERROR = re.compile(r"\[Errno -?\d+\] [\w ]+")
# https://ucum.org: what OpenTelemetry wants as a unit.
UCUM = {"Count": "1", "Seconds": "s", "Percent": "%", "None": "1"}


def send(end: RunEnd) -> list[str]:
    """Send the trace and the metrics of a run; returns which were not accepted, with the cause."""
    problems = []
    for signal, export in (("trace", _export_trace), ("metrics", _export_metrics)):
        with _logged() as texts:
            try:
                if export(end):
                    continue
            except Exception as error:  # noqa: BLE001  some versions raise those of requests
                texts.append(str(error))
            problems.append(f"{signal} ({_cause(texts)})")
    return problems


def _export_trace(end: RunEnd) -> bool:
    spans = _Spans()
    provider = TracerProvider(resource=_resource(end), shutdown_on_exit=False)
    provider.add_span_processor(spans)
    _record(end, provider.get_tracer(NAME, end.version))
    if not spans.ended:  # OTEL_SDK_DISABLED, or a sampler that drops the run
        return True
    exporter = OTLPSpanExporter(timeout=TIMEOUT_SECONDS, session=_session())
    return exporter.export(spans.ended) is SpanExportResult.SUCCESS


def _export_metrics(end: RunEnd) -> bool:
    """Export each figure as a gauge: a run is one process, and has no earlier value."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], _resource(end), shutdown_on_exit=False)
    meter = provider.get_meter(NAME, end.version)
    gauges = {name: meter.create_gauge(PREFIX + name, UCUM[unit]) for name, unit in UNITS.items()}
    for export in end.exports:
        attributes = _places(export)
        for name, value in {**export.metrics, "exit_code": end.exit_code}.items():
            gauges[name].set(value, attributes)
    data = reader.get_metrics_data()
    if data is None:
        return True
    exporter = OTLPMetricExporter(timeout=TIMEOUT_SECONDS, session=_session())
    return exporter.export(data) is MetricExportResult.SUCCESS


def _session() -> requests.Session | None:
    """A session that does not follow a redirect, which would take the headers to another host.

    The exporter itself follows it, or takes it for success, by its version. None if OpenTelemetry's
    variables name a provider of credentials, which has its own session.
    """
    if any(PROVIDER.fullmatch(name) for name in os.environ):
        return None
    session = requests.Session()
    session.hooks["response"].append(_refuse_redirect)
    return session


def _refuse_redirect(response: requests.Response, **_: Any) -> None:
    if REDIRECT <= response.status_code < CLIENT_ERROR:
        raise requests.TooManyRedirects(
            f"it answered {response.status_code}, a redirect: set the final address"
        )


def _resource(end: RunEnd) -> Resource:
    """The resource of OpenTelemetry's variables; the name of the service is ours by default."""
    resource = Resource.create({SERVICE_VERSION: end.version})
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        return resource.merge(Resource({SERVICE_NAME: NAME}))
    return resource


def _record(end: RunEnd, tracer: trace.Tracer) -> None:
    """A root span, and one per step; the last step of an export has its figures."""
    root = tracer.start_span(f"loader {end.command}", start_time=_nanoseconds(end.began))
    root.set_attributes({"run": end.run, "exports": [e.export for e in end.exports]})
    if len(end.exports) == 1:
        root.set_attributes(_attributes(end.exports[0]))
    root.set_attributes({"exit_code": end.exit_code, "outcome": end.outcome})
    context = trace.set_span_in_context(root)
    last = {step.export: number for number, step in enumerate(end.steps)}
    by_name = {export.export: export for export in end.exports}
    for number, step in enumerate(end.steps):
        began = _nanoseconds(step.began)
        span = tracer.start_span(step.name, context, start_time=began)
        export = by_name.get(step.export)
        if export:
            is_last = last[step.export] == number
            span.set_attributes(_attributes(export) if is_last else _places(export))
        _end(span, step)
    ends = _nanoseconds(end.began + end.seconds)
    if end.exit_code:
        root.set_status(Status(StatusCode.ERROR, f"{end.outcome}, exit code {end.exit_code}"))
    else:
        root.set_status(Status(StatusCode.OK))
    root.end(ends)


def _end(span: Span, step: Step) -> None:
    """End the span of a step; its error is a class, because a message may quote a row."""
    if step.error:
        span.set_attribute("error.type", step.error)
        span.set_status(Status(StatusCode.ERROR, step.error))
    span.end(_nanoseconds(step.began + step.seconds))


def _places(export: ExportEnd) -> dict[str, Any]:
    places = {"export": export.export, "table": export.table, "model": export.model}
    return {name: value for name, value in places.items() if value}


def _attributes(export: ExportEnd) -> Mapping[str, Any]:
    return {**_places(export), "outcome": export.outcome, **export.metrics}


def _nanoseconds(seconds: float) -> int:
    return int(seconds * NANOSECONDS)


class _Spans(SpanProcessor):
    """Keeps the spans that have ended."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


@contextmanager
def _logged() -> Iterator[list[str]]:
    """What the exporter logs in the block; nothing of OpenTelemetry goes to standard error.

    Other modules of it log headers that they do not understand, which may have a secret.
    """
    texts: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name.startswith(EXPORTER):
                texts.append(record.getMessage())

    logger, handler = logging.getLogger("opentelemetry"), Handler()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield texts
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


def _cause(texts: Sequence[str]) -> str:
    """The first error, which the last one only counts; without the path, which may be secret."""
    text = URL_PATH.sub("", reason(texts[0])) if texts else ""
    system = SYSTEM_ERROR.search(text)
    return system[0] if system else text or "not accepted"
