"""The end of a run reaches real receivers of HTTP and OTLP, or it is said why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from loader.observe import delivery, otel
from loader.observe.channels import Channels
from loader.observe.run_end import ExportEnd, RunEnd
from loader.observe.webhook import ATTEMPTS, post
from loader.report.timing import Step
from tests.support.forward_proxy import forward_proxy
from tests.support.receivers import Receiver, receiver
from tests.support.sandboxes import wait_until
from tests.support.tls_proxies import make_certificate

pytestmark = pytest.mark.integration

HOOK = "/services/T000/Hunter2"
BEGAN = 1_795_564_407.0
STEPS = (
    Step("check", "", BEGAN, 1.0),
    Step("plan", "user_items", BEGAN + 1, 2.0),
    Step("plan", "orders", BEGAN + 3, 0.5, "PlanFailed"),
)
PLANNED = ExportEnd(
    "user_items", "failed", "run", "items", "stg", figures={"rows": 12, "seconds": 4.0}
)
FAILED = ExportEnd("orders", "failed", "run", "orders_table")
END = RunEnd("load", 1, BEGAN, 4.0, (PLANNED, FAILED), STEPS, "1.0")


def no_pause(_seconds: float) -> None:
    pass


@pytest.mark.parametrize(
    ("answers", "cause", "requests"),
    [
        ((200,), None, 1),
        ((204,), None, 1),
        ((503, 429, 200), None, 3),
        ((0, 200), None, 2),
        ((500,), "it answered 500", ATTEMPTS),
        ((429,), "it answered 429", ATTEMPTS),
        ((404,), "it answered 404", 1),
        ((302,), "it answered 302", 1),
        ((0,), "Remote end closed connection without response", ATTEMPTS),
        ((None,), "timed out", ATTEMPTS),
    ],
    ids=str,
)
def test_a_webhook_gets_the_document_again_only_if_that_can_help(
    answers: tuple[int | None, ...], cause: str | None, requests: int
) -> None:
    timeout = 0.3 if None in answers else 60.0  # without an answer it must end, or it must not
    with receiver(*answers) as server:
        assert post(server.url + HOOK, '{"a": 1}', no_pause, timeout) == cause
        # The client may end before the server has read its last request.
        wait_until(lambda: len(server.requests) >= requests)

    assert len(server.requests) == requests
    request = server.requests[-1]
    assert (request.method, request.path, request.body) == ("POST", HOOK, b'{"a": 1}')
    assert request.headers["content-type"] == "application/json"


def test_a_webhook_that_cannot_be_reached_is_a_cause_without_its_address() -> None:
    assert post(f"http://127.0.0.1:1{HOOK}", "{}", no_pause) == "[Errno 111] Connection refused"


def test_the_certificate_of_a_webhook_must_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path / "tls", "IP:127.0.0.1")
    with receiver(certificate=certificate) as server:
        refused = post(server.url + HOOK, "{}", no_pause)
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate.file))
        accepted = post(server.url + HOOK, "{}", no_pause)

    assert "certificate verify failed: self-signed certificate" in str(refused)
    assert (accepted, len(server.requests)) == (None, 1)


def test_each_attempt_through_a_proxy_is_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path / "tls", "DNS:hooks.proxied.test")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate.file))
    monkeypatch.setenv("NO_PROXY", "")
    with receiver(503, 503, 200, certificate=certificate) as server:
        port = int(server.url.rpartition(":")[2])
        with forward_proxy({"hooks.proxied.test": port}) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
            cause = post(f"https://hooks.proxied.test:{port}{HOOK}", "{}", no_pause)

    assert (cause, [request.path for request in server.requests]) == (None, [HOOK] * ATTEMPTS)
    assert proxy.served == ["CONNECT hooks.proxied.test"] * ATTEMPTS


def test_pauses_are_random_and_grow() -> None:
    pauses: list[float] = []
    with receiver(500) as server:
        post(server.url, "{}", pauses.append)

    assert len(pauses) == ATTEMPTS - 1
    assert 0 <= pauses[0] <= 1
    assert 0 <= pauses[1] <= 2


def spans_of(server: Receiver) -> list[tuple[str, dict[str, object], int, float, float]]:
    """Name, attributes, status, start and length of each span."""
    (body,) = server.bodies("/v1/traces")
    request = ExportTraceServiceRequest.FromString(body)
    (resource,) = request.resource_spans
    names = {a.key: a.value.string_value for a in resource.resource.attributes}
    assert (names["service.name"], names["service.version"]) == ("redshift-to-dynamodb", "1.0")
    (scope,) = resource.scope_spans
    spans = sorted(scope.spans, key=lambda span: bool(span.parent_span_id))
    assert {span.parent_span_id for span in spans[1:]} == {spans[0].span_id}
    assert len({span.trace_id for span in spans}) == 1
    return [
        (
            span.name,
            {a.key: getattr(a.value, str(a.value.WhichOneof("value"))) for a in span.attributes},
            span.status.code,
            span.start_time_unix_nano / 1e9 - BEGAN,
            (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        )
        for span in spans
    ]


def test_a_run_is_one_trace_with_a_span_per_step_and_gauges_with_the_names_of_the_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with receiver() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=Hunter2")
        assert otel.send(END) == []

    root, check, planned, failed = spans_of(server)
    exports = root[1].pop("exports")
    assert [value.string_value for value in exports.values] == ["user_items", "orders"]  # type: ignore[attr-defined]
    assert root == (
        "loader load",
        {"run": "run", "exit_code": 1, "outcome": "failed"},
        2,
        pytest.approx(0),
        pytest.approx(4.0),
    )
    assert check == ("check", {}, 0, pytest.approx(0), pytest.approx(1.0))
    assert planned[0] == "plan"
    assert {name: planned[1][name] for name in ("export", "table", "model", "rows", "failed")} == {
        **{"export": "user_items", "table": "items", "model": "stg", "rows": 12, "failed": 1},
    }
    assert (failed[1]["error.type"], failed[2]) == ("PlanFailed", 2)
    (body,) = server.bodies("/v1/metrics")
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    (scope,) = resource.scope_metrics
    gauges = {
        (metric.name, point.attributes[0].value.string_value): point.as_double or point.as_int
        for metric in scope.metrics
        for point in metric.gauge.data_points
    }
    prefix = "redshift_to_dynamodb."
    assert gauges[f"{prefix}rows", "user_items"] == 12
    assert gauges[f"{prefix}failed", "orders"] == 1
    assert gauges[f"{prefix}exit_code", "orders"] == 1
    units = {metric.name: metric.unit for metric in scope.metrics}
    assert (units[f"{prefix}rows"], units[f"{prefix}seconds"]) == ("1", "s")
    assert {request.headers["api-key"] for request in server.requests} == {"Hunter2"}


@pytest.mark.parametrize(("answer", "cause"), [(404, "batch code: 404"), (0, "")])
def test_a_trace_that_is_not_accepted_has_its_cause_and_no_line_of_the_library(
    answer: int,
    cause: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if not answer:  # it is sent again until this time is over
        monkeypatch.setattr(otel, "TIMEOUT_SECONDS", 0.5)
    with receiver(answer) as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{server.url}/Hunter2")
        problems = otel.send(END)

    assert [problem.partition(" ")[0] for problem in problems] == ["trace", "metrics"]
    assert cause in problems[0]
    assert "Hunter2" not in "".join(problems)
    assert capfd.readouterr() == ("", "")


def test_a_collector_that_redirects_gets_no_header_at_another_address_and_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with receiver(307) as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=Hunter2")
        problems = otel.send(END)

    assert [request.path for request in server.requests] == ["/v1/traces", "/v1/metrics"]
    assert all("it answered 307, a redirect: set the final address" in p for p in problems)
    assert (len(problems), capfd.readouterr()) == (2, ("", ""))


def test_a_header_that_is_not_understood_is_in_no_message(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with receiver(404) as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key: Hunter2")
        problems = otel.send(END)

    assert [problem.partition(" ")[0] for problem in problems] == ["trace", "metrics"]
    assert "Hunter2" not in "".join(problems)
    assert "404" in problems[0]
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_delivered_is_printed_and_counted_and_never_takes_longer(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(delivery, "DELIVERY_SECONDS", 0.5)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with receiver(None) as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{server.url}/t")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{server.url}/m")
        channels = Channels(emf=True, otel=True, url=server.url + HOOK)
        delivery.deliver(END, channels)

    out, err = capfd.readouterr()
    assert err.splitlines() == [
        f"cannot send the end of the run to {place}: no answer within 0.5 s. The run itself is not "
        "affected: its report has everything"
        for place in ("OpenTelemetry", f"the webhook at {server.url}")
    ]
    assert [json.loads(line)["undelivered"] for line in out.splitlines()] == [2, 2]


def test_only_the_ends_that_are_wanted_are_notified(tmp_path: Path) -> None:
    with receiver() as server:
        for words in (["guarded"], ["never"], ["failed"]):
            delivery.deliver(END, Channels(url=server.url, notify_on=words))

    assert len(server.requests) == 1
    assert json.loads(server.requests[0].body)["outcome"] == "failed"
