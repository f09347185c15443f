"""The sender against a local HTTP server."""

import base64
import json
import re
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from loader.dynamodb.answers import Answer, FailureKind
from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.sender import Sender
from loader.proxies import Proxy
from tests.support.forward_proxy import ForwardProxy, forward_proxy
from tests.support.http_server import serving


@dataclass
class Request:
    """A request that the server received: client port, headers in lower case, body."""

    port: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """Answers with `replies` (status, document), one after the other.

    None closes the connection instead; a status below 0 does so in the middle of the document.
    """

    replies: list[tuple[int, dict[str, Any]] | None]
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    before_reply: Callable[[], object] = lambda: None
    closes: bool = False  # closes each connection after a whole answer, unannounced

    def endpoint(self) -> Endpoint:
        return Endpoint(f"http://127.0.0.1:{self.port}", "eu-west-1", "items")


def poll(sender: Sender, count: int) -> list[tuple[int, Answer]]:
    """The next `count` answers, by connection."""
    answers: list[tuple[int, Answer]] = []
    while len(answers) < count:
        answers += sender.poll(None)
    return sorted(answers, key=lambda answer: answer[0])


def sent(sender: Sender, body: bytes = b"{}") -> Answer:
    """The answer to a single request."""
    sender.send(0, body)
    ((_, answer),) = poll(sender, 1)
    return answer


OK: tuple[int, dict[str, Any]] = (200, {"UnprocessedItems": {}})


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server([])

    class Table(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers["content-length"]))
            state.requests.append(Request(self.client_address[1], headers, body))
            state.before_reply()
            reply = state.replies.pop(0)
            if reply is None:
                self.close_connection = True
                return
            content = json.dumps(reply[1]).encode()
            self.send_response(abs(reply[0]))
            self.send_header("Content-Length", str(len(content)))
            self.send_header("x-amz-crc32", str(zlib.crc32(content)))
            self.end_headers()
            self.close_connection = reply[0] < 0 or state.closes
            self.wfile.write(content[:10] if reply[0] < 0 else content)

    with serving(Table) as state.port:
        yield state


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")


def test_a_request_is_signed_for_the_region_of_the_table(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a-token")
    server.replies = [OK]

    answer = sent(Sender(server.endpoint()), '{"é":1}'.encode())

    (request,) = server.requests
    date = request.headers["x-amz-date"]
    assert answer == Answer()
    assert request.body == '{"é":1}'.encode()
    assert re.fullmatch(r"\d{8}T\d{6}Z", date)
    assert re.fullmatch(
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{date[:8]}/eu-west-1/dynamodb/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "
        "Signature=[0-9a-f]{64}",
        request.headers["authorization"],
    )
    named = ("x-amz-target", "content-type", "x-amz-security-token", "host")
    assert [request.headers[name] for name in named] == [
        "DynamoDB_20120810.BatchWriteItem",
        "application/x-amz-json-1.0",
        "a-token",
        f"127.0.0.1:{server.port}",
    ]
    assert "wJalrXUtnFEMI" not in str(request.headers)


def test_a_connection_is_kept_open_for_the_next_request(server: Server) -> None:
    busy = (
        400,
        {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"},
    )
    server.replies = [OK, busy, OK]
    sender = Sender(server.endpoint())

    answers = [sent(sender) for _ in range(3)]

    assert [answer.failure for answer in answers] == [None, FailureKind.THROTTLED, None]
    assert len({request.port for request in server.requests}) == 1


def test_two_connections_have_a_request_in_flight_each(server: Server) -> None:
    server.before_reply = threading.Barrier(2, timeout=30).wait
    server.replies = [OK, OK]
    sender = Sender(server.endpoint())

    sender.send(0, b"{}")
    sender.send(1, b"{}")

    assert poll(sender, 2) == [(0, Answer()), (1, Answer())]
    assert len({request.port for request in server.requests}) == 2


def test_poll_waits_for_an_answer_no_longer_than_its_seconds(server: Server) -> None:
    answering = threading.Event()
    server.before_reply = lambda: answering.wait(30)
    server.replies = [OK]
    sender = Sender(server.endpoint())
    sender.send(0, b"{}")

    early = sender.poll(0)
    answering.set()

    assert (early, poll(sender, 1)) == ([], [(0, Answer())])


def test_a_request_without_an_answer_in_time_is_transient(server: Server) -> None:
    answering, now = threading.Event(), 0.0
    server.before_reply = lambda: answering.wait(30)
    server.replies = [None, OK]
    sender = Sender(server.endpoint(), clock=lambda: now)
    sender.send(0, b"1")
    while not server.requests:
        pass

    early, now = sender.poll(0), 10.0
    late = poll(sender, 1)
    answering.set()
    while server.replies != [OK]:
        pass

    cause = f"http://127.0.0.1:{server.port}: timed out"
    timed_out = Answer(failure=FailureKind.TRANSIENT, error="TimeoutError", cause=cause)
    assert (early, late, sent(sender, b"2")) == ([], [(0, timed_out)], Answer())
    first, second = server.requests
    assert first.port != second.port


def test_after_a_reset_an_old_answer_is_not_taken_for_that_of_the_next_request(
    server: Server,
) -> None:
    busy = (
        400,
        {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"},
    )
    server.replies = [busy, OK]
    sender = Sender(server.endpoint())
    sender.send(0, b"1")
    while server.replies != [OK]:
        pass

    sender.reset()

    assert sent(sender, b"2") == Answer()
    first, second = server.requests
    assert first.port != second.port


def test_an_idle_connection_that_the_server_closes_is_opened_again(server: Server) -> None:
    server.replies = [OK, OK]
    server.closes = True
    sender = Sender(server.endpoint())

    answers = [sent(sender)]
    assert sender.poll(30) == []
    answers.append(sent(sender))

    assert answers == [Answer(), Answer()]
    first, second = server.requests
    assert first.port != second.port


def test_a_connection_closed_without_an_answer_is_transient_and_opened_again(
    server: Server,
) -> None:
    server.replies = [OK, None, OK]
    sender = Sender(server.endpoint())

    answers = [sent(sender) for _ in range(3)]

    assert answers == [
        Answer(),
        Answer(
            failure=FailureKind.TRANSIENT,
            error="RemoteDisconnected",
            cause=f"http://127.0.0.1:{server.port}: Remote end closed connection without response",
        ),
        Answer(),
    ]
    first, second, third = (request.port for request in server.requests)
    assert first == second != third


def test_an_incomplete_answer_is_transient_and_the_connection_opened_again(server: Server) -> None:
    server.replies = [(-200, OK[1]), OK]
    sender = Sender(server.endpoint())

    answers = [sent(sender) for _ in range(2)]

    assert answers == [
        Answer(
            failure=FailureKind.TRANSIENT,
            error="IncompleteRead",
            cause=f"http://127.0.0.1:{server.port}: "
            "IncompleteRead(10 bytes read, 14 more expected)",
        ),
        Answer(),
    ]


def test_a_refused_connection_is_transient() -> None:
    # Bound and not listening: no other program can listen there either.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        sender = Sender(Endpoint(url, "eu-west-1", "items"))
        answers = [sent(sender) for _ in range(2)]

    refused = Answer(
        failure=FailureKind.TRANSIENT,
        error="ConnectionRefusedError",
        cause=f"{url}: [Errno 111] Connection refused",
    )
    assert [re.sub(r"Errno \d+", "Errno 111", answer.cause) for answer in answers] == (
        [refused.cause] * 2
    )
    assert {(a.failure, a.error) for a in answers} == {(refused.failure, refused.error)}


def through(server: Server, proxy: ForwardProxy, login: str = "") -> Sender:
    """A sender to a name that only the proxy resolves; no variable names the proxy."""
    authorization = f"Basic {base64.b64encode(login.encode()).decode()}" if login else ""
    host = f"http://dynamodb.proxied.test:{server.port}"
    route = Proxy("127.0.0.1", proxy.port, authorization)
    return Sender(Endpoint(f"{host}/ddb", "eu-west-1", "items", route))


def test_requests_go_through_the_proxy_of_the_endpoint_and_show_it_the_login(
    server: Server,
) -> None:
    server.replies = [OK, OK]
    with forward_proxy({"proxied.test": server.port}, login="me:p@ss") as proxy:
        sender = through(server, proxy, "me:p@ss")
        answers = [sent(sender) for _ in range(2)]

    assert answers == [Answer(), Answer()]
    assert proxy.served == ["POST dynamodb.proxied.test"] * 2
    assert [request.headers["host"] for request in server.requests] == (
        [f"dynamodb.proxied.test:{server.port}"] * 2
    )


def test_a_request_that_the_proxy_refuses_is_permanent(server: Server) -> None:
    with forward_proxy({"proxied.test": server.port}, login="me:p@ss") as proxy:
        answer = sent(through(server, proxy, "me:wrong"))

    assert (answer.failure, answer.error, server.requests) == (
        FailureKind.PERMANENT,
        "HTTP 407",
        [],
    )


def test_after_a_connection_fails_no_other_tries_to_connect_before_the_next_poll() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        sender = Sender(Endpoint(url, "eu-west-1", "items"))
        sender.send(0, b"{}")
        listener.listen()
        sender.send(1, b"{}")
        answers = poll(sender, 2)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        sender.send(1, b"{}")
        listener.settimeout(5)
        connection, _ = listener.accept()
        connection.close()

    assert [(number, answer.error) for number, answer in answers] == [
        (0, "ConnectionRefusedError"),
        (1, "ConnectionRefusedError"),
    ]


def test_without_credentials_nothing_is_sent_yet(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    answer = sent(Sender(server.endpoint()))

    assert (answer, server.requests) == (
        Answer(
            failure=FailureKind.TRANSIENT,
            error="ConnectionError",
            cause=f"{server.endpoint()}: cannot sign the request: no AWS credentials found",
        ),
        [],
    )
