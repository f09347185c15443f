"""A connection reads the bytes of a server, over a real socket."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

import loader.dynamodb.connection
from loader.dynamodb.connection import Connection

LONG = "got more than 65536 bytes when reading head"
LONG_LINE = "got more than 65536 bytes when reading chunk"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
REQUEST = b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}"


def exchange(connection: Connection) -> tuple[int, dict[str, str], bytes]:
    if not connection.is_open:
        connection.open()
    connection.send(REQUEST)
    return connection.receive()


@pytest.fixture
def answered() -> Iterator[Callable[..., Connection]]:
    """A connection to a server with these answers: one per request, one list per connection."""
    opened = []

    def make(*answers: list[bytes]) -> Connection:
        listening = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            for of_connection in answers:
                peer, _ = listening.accept()
                with peer:
                    for answer in of_connection:
                        peer.recv(65_536)
                        peer.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        connection = Connection(urlsplit(f"http://127.0.0.1:{listening.getsockname()[1]}"), None)
        opened.append((listening, thread, connection))
        return connection

    yield make
    for listening, thread, connection in opened:
        connection.close()
        thread.join(5)
        listening.close()


def test_an_answer_is_its_status_headers_in_lower_case_and_body(
    answered: Callable[..., Connection],
) -> None:
    connection = answered([b"HTTP/1.1 400 Bad\r\nX-Amz-CRC32:7\r\nContent-Length: 3\r\n\r\nabc"])

    assert exchange(connection) == (
        400,
        {"x-amz-crc32": "7", "content-length": "3"},
        b"abc",
    )


def test_one_connection_receives_several_answers(answered: Callable[..., Connection]) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
    connection = answered([head + b"a", head + b"b"])

    bodies = [exchange(connection)[2] for _ in range(2)]

    assert bodies == [b"a", b"b"]


def test_an_answer_may_arrive_in_pieces(answered: Callable[..., Connection]) -> None:
    body = "é".encode() * 50_000
    connection = answered([b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body])

    assert exchange(connection)[2] == body


def test_a_connection_that_the_server_closes_is_opened_again(
    answered: Callable[..., Connection],
) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 1\r\n\r\n"
    connection = answered([head + b"a"], [head + b"b"])

    bodies = [exchange(connection)[2] for _ in range(2)]

    assert bodies == [b"a", b"b"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length:1\r\n\r\n%s", id="lower case"),
        pytest.param(b"HTTP/1.1 200\nCONTENT-LENGTH: 1\n\n%s", id="upper case, bare newlines"),
        pytest.param(CHUNKED + b"1\r\n%s\r\n0\r\n\r\n", id="chunked"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\nContent-Length: 7\r\n\r\n"
            b"0001 ;name=value\r\n%s\r\n000\r\nTrailer: 1\r\n\r\n",
            id="chunked, with an extension and a trailer",
        ),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%s",
            id="after informational answers",
        ),
        pytest.param(
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n%s",
            id="HTTP/1.0 with keep-alive",
        ),
    ],
)
def test_an_answer_of_any_form_is_read_and_the_connection_stays_open(
    answered: Callable[..., Connection], answer: bytes
) -> None:
    connection = answered([answer % b"a", answer % b"b"])

    answers = [exchange(connection) for _ in range(2)]

    assert [(status, body) for status, _, body in answers] == [(200, b"a"), (200, b"b")]
    assert connection.is_open


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n%s", id="without a length"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n%s", id="HTTP/1.0"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nconnection: x, Close\r\nContent-Length: 1\r\n\r\n%s",
            id="keep-alive off",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1\r\n%s\r\n0\r\n\r\n",
            id="keep-alive off, chunked",
        ),
    ],
)
def test_an_answer_that_ends_its_connection_is_read_and_the_next_request_opens_another(
    answered: Callable[..., Connection], answer: bytes
) -> None:
    connection = answered([answer % b"a"], [answer % b"b"])

    answers = [exchange(connection) for _ in range(2)]

    assert [(status, body) for status, _, body in answers] == [(200, b"a"), (200, b"b")]
    assert not connection.is_open


def test_an_answer_without_content_has_an_empty_body(answered: Callable[..., Connection]) -> None:
    connection = answered([b"HTTP/1.1 204 No Content\r\n\r\n"])

    assert exchange(connection) == (204, {}, b"")
    assert connection.is_open


def test_an_answer_in_drops_ends_with_its_time(
    answered: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader.dynamodb.connection, "SECONDS", -1)
    connection = answered([b"HTTP/1.1 200"])
    connection._http.timeout = 30

    with pytest.raises(TimeoutError, match="timed out"):
        exchange(connection)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (b"", "RemoteDisconnected", "Remote end closed connection without response"),
        (
            b"HTTP/1.1 200 OK\r\nX: 1\r\n",
            "RemoteDisconnected",
            "Remote end closed connection in a head",
        ),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "BadStatusLine", "SSH-2.0-OpenSSH"),
        (b"HTTP/1.1 2 OK\r\n\r\n", "BadStatusLine", "HTTP/1.1 2 OK"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
            "HTTPException",
            "cannot read the answer: its Content-Length is -5",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}",
            "HTTPException",
            "cannot read the answer: its Transfer-Encoding is gzip",
        ),
        (
            CHUNKED + b"-1\r\n{}\r\n",
            "HTTPException",
            "cannot read the answer: its chunk has the size b'-1'",
        ),
        (
            CHUNKED + b"3\r\n{}",
            "IncompleteRead",
            "IncompleteRead(2 bytes read, 1 more expected)",
        ),
        (CHUNKED + b"2\r\n{}\r\n", "IncompleteRead", "IncompleteRead(0 bytes read)"),
        (
            CHUNKED + b"0\r\n\r\nabc",
            "HTTPException",
            "cannot read the answer: 3 bytes follow its body",
        ),
        (CHUNKED + b"1" * 70_000, "LineTooLong", LONG_LINE),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
            "IncompleteRead",
            "IncompleteRead(2 bytes read, 3 more expected)",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc",
            "HTTPException",
            "cannot read the answer: 2 bytes follow its body",
        ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "LineTooLong", LONG),
    ],
)  # fmt: skip
def test_an_incomplete_or_invalid_answer_is_an_error(
    answered: Callable[..., Connection], answer: bytes, error: str, message: str
) -> None:
    connection = answered([answer])

    with pytest.raises(http.client.HTTPException) as raised:
        exchange(connection)

    assert (type(raised.value).__name__, str(raised.value)) == (error, message)
