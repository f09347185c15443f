"""The end of a load is printed, traced and notified, with the values of its report."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from loader.observe.figures import OF_PLAN, OF_REPORT
from sandbox import Sandbox
from tests.support.emf_schema import metrics_of
from tests.support.projects import export, project
from tests.support.receivers import receiver

pytestmark = pytest.mark.integration

Run = Callable[..., Any]
VIEW = "analytics.observed_items"
MARKER = "Hunter2"


@pytest.fixture
def queue(sandbox: Sandbox, sandbox_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A topic, and what it has sent to a queue."""
    endpoint = f"http://127.0.0.1:{sandbox.settings.dynamodb_port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", endpoint)
    region = sandbox_env["AWS_DEFAULT_REGION"]
    sns, sqs = (boto3.client(n, endpoint_url=endpoint, region_name=region) for n in ("sns", "sqs"))
    topic = sns.create_topic(Name="loads")["TopicArn"]
    url = sqs.create_queue(QueueName="loads")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["Attributes"]["QueueArn"])

    def received() -> list[dict[str, Any]]:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    return topic, received


def test_every_end_of_a_load_is_sent_to_where_it_was_asked_for(
    loader: Run,
    execute: Run,
    queue: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    execute(
        "create schema if not exists analytics; "
        f"create table {VIEW} as select 'u' || n as user_id, n % 4 as partition_id, "
        "'i' as item_id, 1 as line_number, now()::timestamp as purchased_at "
        "from generate_series(1, 100) as n"
    )
    chosen = project(tmp_path / "p", {"observed": export("observed", partitions=4)}, VIEW)
    load = ["load", *chosen.arguments, *chosen.storage, "--metrics", "emf"]
    topic, published = queue
    with receiver() as collector, receiver(200, 200, 200, 404) as webhook:
        monkeypatch.setenv("LOADER_NOTIFY_URL", f"{webhook.url}/{MARKER}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)

        wrong = loader(*load, "--queries", "0", "--notify", "loads", "--export", "observed")
        always = ["--otel", "--notify", topic, "--notify-on", "always"]
        complete = loader(*load, "--create-table", *always)
        silent = loader(*load)
        execute(f"delete from {VIEW} where partition_id < 2")
        guarded = loader(*load, "--notify-on", "guarded")
        allowed = loader(*load, "--json", "--notify-on", "complete", "--allow-deletes", "50")
        execute(f"update {VIEW} set partition_id = 99 where user_id = 'u3'")
        far = loader(*load, "--notify-on", "refused")

    # Refused before anything began: the problems of all settings together.
    assert wrong.code == 2
    assert [line for line in wrong.err.splitlines() if line.startswith("  ")] == [
        "  1  --queries must be a positive whole number, got 0: set it to 1 or more",
        "  2  --notify must be the ARN of an SNS topic, got loads: give it as "
        "arn:aws:sns:REGION:ACCOUNT:NAME",
    ]
    assert metrics_of(wrong.out.strip())[1]["refused"] == 1
    # A complete run, everywhere with the values of its report.
    assert complete.code == 0, complete
    runs = sorted((chosen.folder / "runs" / "observed" / "runs").iterdir())
    report = json.loads((runs[0] / "report.json").read_text())
    expected = {name: report[name] for name in OF_REPORT if report[name] is not None}
    dimensions, metrics = metrics_of(complete.out.splitlines()[-1])
    assert dimensions == [["export"], ["export", "table"]]
    assert {name: metrics[name] for name in expected} == expected
    assert (metrics["complete"], metrics["put"], metrics["undelivered"]) == (1, 100, 0)
    notified = [json.loads(body) for body in webhook.bodies(f"/{MARKER}")]
    assert [(n["outcome"], n["exit_code"]) for n in notified] == [
        ("refused", 2),
        ("complete", 0),
        ("refused", 2),
        ("complete", 0),
        ("refused", 2),
    ]
    (of_complete,) = notified[1]["exports"]
    assert {name: of_complete[name] for name in expected} == expected
    assert (of_complete["folder"], of_complete["run"]) == (str(runs[0]), report["run"])
    (message,) = published()
    assert message["Subject"] == "loader: observed complete (exit code 0)"
    assert json.loads(message["Message"]) == notified[1]
    (trace,) = collector.bodies("/v1/traces")
    (resource,) = ExportTraceServiceRequest.FromString(trace).resource_spans
    spans = [span.name for scope in resource.scope_spans for span in scope.spans]
    assert spans == ["check", "plan", "apply", "commit", "loader load"]
    assert len(collector.bodies("/v1/metrics")) == 1
    # A complete run is not notified by default.
    assert (silent.code, metrics_of(silent.out.splitlines()[-1])[1]["unchanged"]) == (0, 100)
    # A guard: the figures of the plan, and the command that lets it pass.
    assert guarded.code == 2
    _, metrics = metrics_of(guarded.out.strip())
    assert set(OF_PLAN) < set(metrics)
    assert (metrics["guarded"], metrics["deletes"], metrics["keys_before"]) == (1, 50, 100)
    (of_guarded,) = notified[2]["exports"]
    assert of_guarded["next_command"].endswith("--notify-on guarded --allow-deletes 50")
    assert "user_id" not in json.dumps(notified[2])
    # A webhook that does not accept the message does not change the outcome of the run.
    assert allowed.code == 0
    *_, cause, line = allowed.err.splitlines()
    assert cause == (
        f"cannot send the end of the run to the webhook at {webhook.url}: it answered 404. The run "
        "itself is not affected: its report has everything"
    )
    last = sorted(chosen.folder.glob("runs/observed/runs/*/report.json"))[-1]
    assert json.loads(last.read_text())["notes"] == [cause]
    # With --json, standard output has the reports alone.
    assert json.loads(allowed.out)["deleted"] == 50
    assert metrics_of(line)[1]["undelivered"] == 1
    # A key is printed here, and not sent elsewhere.
    assert 'got 99 for key {"user_id":{"S":"u3"}}: build' in far.err
    assert "got 99: build the model" in json.dumps(notified[4])
    assert "u3" not in json.dumps(notified[4]) + far.out
    # The address of the webhook is a secret.
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if MARKER.encode() in path.read_bytes()] == []
    assert MARKER not in repr((wrong, complete, silent, guarded, allowed, far))
