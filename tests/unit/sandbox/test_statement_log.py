from pathlib import Path

import pytest

from sandbox.redshift.protocol import message
from sandbox.redshift.requests import RequestReader
from sandbox.redshift.responses import Event
from sandbox.redshift.statement_log import SessionLog, StatementLog
from sandbox.statements import Statement, read_statements

COMPLETED, SUSPENDED = Event("completed"), Event("suspended")
READY, IN_TRANSACTION = Event("ready"), Event("ready", in_transaction=True)
FAILED = Event("failed", error="ERROR 22012: division by zero")


class Conversation:
    """The messages of a client and the events of a server, in the order of the calls."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = SessionLog(StatementLog(path), {"user": "u", "application_name": "app"})
        self.requests = RequestReader(self.log)

    def client(self, *messages: tuple[bytes, bytes]) -> None:
        for kind, body in messages:
            self.requests.feed(kind, body)

    def server(self, *events: Event) -> None:
        self.log.on_events(list(events))

    def statements(self) -> list[Statement]:
        return read_statements(self.path)

    def outcomes(self) -> list[tuple[str, str]]:
        return [
            (s.text, s.error or ("finished" if s.finished_at else "running"))
            for s in self.statements()
        ]


@pytest.fixture
def conversation(tmp_path: Path) -> Conversation:
    return Conversation(tmp_path / "statements.jsonl")


def parse(sql: str) -> tuple[bytes, bytes]:
    return b"P", b"\0" + sql.encode() + b"\0\0\0"


BIND = (b"B", b"\0\0" + b"\0" * 6)
EXECUTE = (b"E", b"\0\0\0\0\0")
SYNC = (b"S", b"")


def query(sql: str) -> tuple[bytes, bytes]:
    return b"Q", sql.encode() + b"\0"


def test_a_statement_runs_from_execute_to_completion(conversation: Conversation) -> None:
    conversation.client(parse("select nvl(1, 2)"), BIND, EXECUTE, SYNC)
    running = conversation.outcomes()
    conversation.server(COMPLETED, READY)

    assert running == [("select nvl(1, 2)", "running")]
    (statement,) = conversation.statements()
    assert (
        statement.rewritten,
        statement.user,
        statement.database,
        statement.application_name,
    ) == (
        "select coalesce(1, 2)",
        "u",
        "u",
        "app",
    )
    assert statement.seconds is not None
    assert statement.error is None


def test_executions_sent_together_run_one_after_the_other(conversation: Conversation) -> None:
    conversation.client(parse("begin"), BIND, EXECUTE, parse("select 1"), BIND, EXECUTE, SYNC)
    before = conversation.outcomes()
    conversation.server(COMPLETED)
    between = conversation.outcomes()
    conversation.server(COMPLETED, IN_TRANSACTION)

    assert before == [("begin", "running")]
    assert between == [("begin", "finished"), ("select 1", "running")]
    assert conversation.outcomes() == [("begin", "finished"), ("select 1", "finished")]


def test_after_an_error_the_rest_of_a_request_is_not_logged(conversation: Conversation) -> None:
    conversation.client(parse("select 1/0"), BIND, EXECUTE, parse("select 2"), BIND, EXECUTE, SYNC)
    conversation.server(FAILED, READY)

    assert conversation.outcomes() == [("select 1/0", FAILED.error)]


def test_a_statement_that_does_not_parse_is_logged_with_its_error(
    conversation: Conversation,
) -> None:
    conversation.client(parse("selec"), SYNC)
    conversation.server(FAILED, READY)

    assert conversation.outcomes() == [("selec", FAILED.error)]


def test_a_statement_that_fails_before_its_execute_arrives_is_logged_once(
    conversation: Conversation,
) -> None:
    conversation.client(parse("select 1/0"), SYNC)
    conversation.server(READY)
    conversation.client(BIND, (b"H", b""))
    conversation.server(FAILED)
    conversation.client(EXECUTE, SYNC)
    conversation.server(READY)
    conversation.client(BIND, EXECUTE, SYNC)
    conversation.server(COMPLETED, READY)

    assert conversation.outcomes() == [("select 1/0", FAILED.error), ("select 1/0", "finished")]


def test_a_query_of_several_statements_ends_with_the_last_one(conversation: Conversation) -> None:
    conversation.client(query("select 1; select 2"))
    conversation.server(COMPLETED)
    between = conversation.outcomes()
    conversation.server(COMPLETED, READY)

    assert between == [("select 1; select 2", "running")]
    assert conversation.outcomes() == [("select 1; select 2", "finished")]


def test_a_statement_fetched_in_several_steps_is_one_statement(conversation: Conversation) -> None:
    conversation.client(parse("select x"), BIND, EXECUTE, SYNC)
    conversation.server(SUSPENDED, IN_TRANSACTION)
    between = conversation.outcomes()
    conversation.client(EXECUTE, SYNC)
    conversation.server(COMPLETED, IN_TRANSACTION)

    assert between == [("select x", "running")]
    assert conversation.outcomes() == [("select x", "finished")]


@pytest.mark.parametrize("last", [(b"C", b"P\0"), BIND])
def test_closing_or_rebinding_a_portal_ends_its_statement(
    conversation: Conversation, last: tuple[bytes, bytes]
) -> None:
    conversation.client(parse("select x"), BIND, EXECUTE, SYNC)
    conversation.server(SUSPENDED, IN_TRANSACTION)
    conversation.client(last)

    assert conversation.outcomes() == [("select x", "finished")]


def test_the_end_of_a_transaction_ends_suspended_statements(conversation: Conversation) -> None:
    conversation.client(parse("select x"), BIND, EXECUTE, SYNC)
    conversation.server(SUSPENDED, IN_TRANSACTION)
    conversation.client(query("commit"))
    conversation.server(COMPLETED, READY)

    assert conversation.outcomes() == [("select x", "finished"), ("commit", "finished")]


def test_a_lost_connection_ends_running_statements_with_the_reason(
    conversation: Conversation,
) -> None:
    conversation.client(query("select 1"))
    conversation.log.on_disconnect("the server disconnected")

    assert conversation.outcomes() == [("select 1", "the server disconnected")]


def test_statements_of_a_killed_shim_end_when_the_next_shim_starts(
    conversation: Conversation,
) -> None:
    conversation.client(query("select 1"))
    before = conversation.outcomes()
    StatementLog(conversation.path)

    assert before == [("select 1", "running")]
    assert conversation.outcomes() == [("select 1", "the server stopped")]


def test_messages_without_a_response_are_sent_with_the_next_sync(
    conversation: Conversation,
) -> None:
    sent = [
        conversation.requests.feed(*message_) for message_ in (parse("nvl(1)"), BIND, EXECUTE, SYNC)
    ]

    rewritten = message(*parse("coalesce(1)"))
    assert sent == [b"", b"", b"", rewritten + message(*BIND) + message(*EXECUTE) + message(*SYNC)]
