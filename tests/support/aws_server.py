"""A server in the place of AWS's services that answer in XML or JSON, such as STS and Redshift."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl

from tests.support.http_server import serving

SIGNED = re.compile(r"Credential=([^/]+)/\d+/([\w-]+)/([\w-]+)/")


@dataclass(frozen=True)
class Call:
    """An operation with its parameters, and the key, Region and service of its signature."""

    action: str
    parameters: dict[str, str]
    key_id: str
    region: str
    service: str


# The status and the body of an answer.
Answer = Callable[[Call], tuple[int, str]]


@dataclass
class AwsServer:
    """The URL of a server, and the calls that it has answered."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)


@contextmanager
def aws_server(answer: Answer) -> Iterator[AwsServer]:
    state = AwsServer()

    class Service(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            target = self.headers.get("X-Amz-Target", "")
            known = json.loads(text) if target else dict(parse_qsl(text))
            parameters = {name: str(value) for name, value in known.items()}
            action = target.rpartition(".")[2] or parameters.pop("Action")
            signed = SIGNED.search(self.headers["Authorization"])
            assert signed
            call = Call(action, parameters, *signed.groups())
            state.calls.append(call)
            status, body = answer(call)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

    with serving(Service) as port:
        state.url = f"http://127.0.0.1:{port}"
        yield state


def xml_error(code: str, message: str, status: int = 403) -> tuple[int, str]:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return status, f"<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>"


def json_error(code: str, message: str, status: int = 400) -> tuple[int, str]:
    return status, json.dumps({"__type": code, "message": message})
