"""What counts as a page of Spark's UI while it starts and stops."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest

from tests.support.http_server import serving
from tests.support.spark_pages import answer, spark_pages

JOBS = b"<html>jobs</html>"
Respond = Callable[[BaseHTTPRequestHandler], None]


def send(handler: BaseHTTPRequestHandler, kind: str, body: bytes, missing: int = 0) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body) + missing))
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def server(respond: Respond) -> Iterator[str]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            respond(self)

    with serving(Page) as port:
        yield f"http://127.0.0.1:{port}"


def starting(handler: BaseHTTPRequestHandler) -> None:
    """Spark's UI before its API and its SQL pages are attached."""
    if handler.path.startswith("/jobs/"):
        send(handler, "text/html;charset=utf-8", JOBS)
    else:
        handler.send_response(302)
        handler.send_header("Location", "/jobs/")
        handler.end_headers()


def test_a_redirect_to_the_jobs_is_neither_another_page_nor_an_answer_of_the_api() -> None:
    with server(starting) as ui:
        assert spark_pages(ui) == {name: JOBS.decode() for name in ("jobs", "job 0", "job 1")}


def test_the_answers_of_the_api_are_pages() -> None:
    def running(handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        texts = {"/api/v1/applications": [{"id": "a"}], "/api/v1/applications/a/sql": ["sql"]}
        send(handler, "application/json", json.dumps(texts.get(path, {})).encode())

    with server(running) as ui:
        assert spark_pages(ui) == {"api environment": "{}", "api SQL": '["sql"]'}


@pytest.mark.parametrize(
    "respond",
    [
        lambda handler: send(handler, "text/html", b"Spark is starting up. Please wait"),
        lambda handler: send(handler, "text/html", JOBS, missing=1),
        lambda handler: handler.send_error(404),
        lambda handler: None,
    ],
    ids=["starting", "cut", "not found", "closed"],
)
def test_a_server_that_starts_or_stops_has_no_page(respond: Respond) -> None:
    with server(respond) as ui:
        assert answer(f"{ui}/jobs/") == ""
