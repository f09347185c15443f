from argparse import Namespace

import pytest

from loader.observe.channels import Channels, channels_of, site
from loader.settings import Settings

TOPIC = "arn:aws:sns:eu-west-1:111122223333:loads"
SLACK = "https://hooks.slack.com/services/T000/B000/token"
TEAMS = "https://shop.webhook.office.com/webhookb2/7f3a@11aa/IncomingWebhook/42/99"
VARIABLES = (
    "LOADER_NOTIFY_URL",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_nothing_is_sent_by_default() -> None:
    assert channels_of(Settings()) == Channels()
    assert not channels_of(Namespace()).any


def test_options_and_settings_name_the_same_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADER_NOTIFY_URL", SLACK)
    options = {"metrics": "emf", "otel": True, "notify": TOPIC, "notify_on": "guarded,failed"}

    channels = channels_of(Settings(**options, allow_plain_http=True))

    assert channels == channels_of(Namespace(**options, allow_plain_http=True))
    assert channels == Channels(True, True, TOPIC, SLACK, ["guarded", "failed"], True)
    assert channels.problems() == []


def test_with_json_the_channels_know_it() -> None:
    assert channels_of(Namespace(json=True)).json
    assert channels_of(Settings(json=True)).json


def test_no_representation_has_the_address_of_the_webhook() -> None:
    assert "slack" not in repr(Channels(url=SLACK))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (SLACK, "https://hooks.slack.com"),
        ("http://127.0.0.1:8080/x?token=1", "http://127.0.0.1:8080"),
        ("https://me:hunter2@[::1]/x", "https://[::1]"),
    ],
)
def test_a_message_names_the_site_of_an_address(url: str, shown: str) -> None:
    assert site(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "hooks.slack.com/services/Hunter2",
        "ftp://hooks.slack.com/Hunter2",
        "https://hooks.slack.com/Hunter2 ",
        "https://hooks.slack.com/Hunter2\n",
        "https://me:Hunter2@example.com/",
        "https://me@example.com/Hunter2",
        "https://example.com:Hunter2/",
        "https://example.com:99999/Hunter2",
        "https:///Hunter2",
        "https://hooks.slack.com/Hünter2",
    ],
)
def test_a_wrong_address_is_refused_without_being_shown(url: str) -> None:
    channels = Channels(url=url)

    assert channels.problems() == [
        "LOADER_NOTIFY_URL must be https://host/path without a space or a user, got another text, "
        "which is not shown because it may have a secret: correct it"
    ]
    assert not channels.usable().any


@pytest.mark.parametrize(
    "url", [SLACK, TEAMS, "https://a.example/?to=me@b.example", "http://localhost:1/x"]
)
def test_an_address_over_tls_or_on_this_machine_is_taken(url: str) -> None:
    assert Channels(url=url).problems() == []


def test_plain_text_to_another_machine_must_be_allowed() -> None:
    url = "http://hooks.example/Hunter2"

    assert Channels(url=url).problems() == [
        "endpoint of the webhook must be https:// unless it is on this machine, got "
        "http://hooks.example: use https, or accept plain text with --allow-plain-http"
    ]
    assert Channels(url=url, plain_http=True).problems() == []


@pytest.mark.parametrize(
    "topic", [TOPIC, "arn:aws-cn:sns:cn-north-1:111122223333:a_b-c", f"{TOPIC}2"]
)
def test_a_topic_is_named_by_its_arn(topic: str) -> None:
    assert Channels(topic=topic).problems() == []


@pytest.mark.parametrize("topic", ["loads", "arn:aws:sqs:eu-west-1:111122223333:loads", "arn:aws"])
def test_another_text_is_no_topic(topic: str) -> None:
    assert Channels(topic=topic).problems() == [
        f"--notify must be the ARN of an SNS topic, got {topic}: give it as "
        "arn:aws:sns:REGION:ACCOUNT:NAME"
    ]


def test_the_address_of_a_webhook_is_no_option() -> None:
    (problem,) = Channels(topic=SLACK).problems()

    assert problem == (
        "--notify must be the ARN of an SNS topic, got an address, which may have a secret and "
        "which every user of this machine could see: set LOADER_NOTIFY_URL to it"
    )


def test_an_unknown_end_is_refused() -> None:
    (problem,) = Channels(notify_on=["guarded", "errors"]).problems()

    assert problem == (
        "--notify-on must be problem, always, never, guarded, deviates, complete, incomplete, "
        "refused, failed, interrupted or some of them with commas, got errors: correct it"
    )


@pytest.mark.parametrize(
    "name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
)
def test_a_collector_on_another_machine_must_have_tls(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "http://collector:4318/Hunter2")

    assert Channels(otel=True).problems() == [
        "endpoint of OpenTelemetry must be https:// unless it is on this machine, got "
        "http://collector:4318: use https, or accept plain text with --allow-plain-http"
    ]
    assert Channels(otel=True, plain_http=True).problems() == []
    assert Channels().problems() == []


def test_a_collector_must_have_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")

    assert Channels(otel=True).problems() == [
        "OTEL_EXPORTER_OTLP_ENDPOINT must be https://host:port, got another text, which is not "
        "shown because it may have a secret: correct it"
    ]


def test_open_telemetry_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loader.observe.channels.OTLP", "opentelemetry.not_there")

    assert Channels(otel=True).problems() == [
        "--otel must have the packages of OpenTelemetry, got none: "
        "install the wheel of `make package` with the extra otel"
    ]
