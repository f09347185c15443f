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


class Talk:
    """A client and a server, in words."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = SessionLog(StatementLog(path), {"user": "u", "application_name": "app"})
        self.requests = RequestReader(self.log)

    def client(self, *messages: tuple[bytes, bytes]) -> None:
        for kind, body in messages:
            self.requests.feed(kind, body)

    def server(self, *events: Event) -> None:
        self.log.heard(list(events))

    def statements(self) -> list[Statement]:
        return read_statements(self.path)

    def story(self) -> list[tuple[str, str]]:
        return [
            (s.text, s.error or ("finished" if s.finished_at else "running"))
            for s in self.statements()
        ]


@pytest.fixture
def talk(tmp_path: Path) -> Talk:
    return Talk(tmp_path / "statements.jsonl")


def parse(sql: str) -> tuple[bytes, bytes]:
    return b"P", b"\0" + sql.encode() + b"\0\0\0"


BIND = (b"B", b"\0\0" + b"\0" * 6)
EXECUTE = (b"E", b"\0\0\0\0\0")
SYNC = (b"S", b"")


def query(sql: str) -> tuple[bytes, bytes]:
    return b"Q", sql.encode() + b"\0"


def test_a_statement_runs_from_execute_to_its_completion(talk: Talk) -> None:
    talk.client(parse("select nvl(1, 2)"), BIND, EXECUTE, SYNC)
    running = talk.story()
    talk.server(COMPLETED, READY)

    assert running == [("select nvl(1, 2)", "running")]
    (statement,) = talk.statements()
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


def test_executions_sent_together_run_one_after_the_other(talk: Talk) -> None:
    talk.client(parse("begin"), BIND, EXECUTE, parse("select 1"), BIND, EXECUTE, SYNC)
    before = talk.story()
    talk.server(COMPLETED)
    between = talk.story()
    talk.server(COMPLETED, IN_TRANSACTION)

    assert before == [("begin", "running")]
    assert between == [("begin", "finished"), ("select 1", "running")]
    assert talk.story() == [("begin", "finished"), ("select 1", "finished")]


def test_after_an_error_the_rest_of_a_request_was_never_run(talk: Talk) -> None:
    talk.client(parse("select 1/0"), BIND, EXECUTE, parse("select 2"), BIND, EXECUTE, SYNC)
    talk.server(FAILED, READY)

    assert talk.story() == [("select 1/0", FAILED.error)]


def test_a_statement_that_does_not_parse_is_logged_with_its_error(talk: Talk) -> None:
    talk.client(parse("selec"), SYNC)
    talk.server(FAILED, READY)

    assert talk.story() == [("selec", FAILED.error)]


def test_a_statement_refused_before_its_execution_arrives_is_logged_once(talk: Talk) -> None:
    talk.client(parse("select 1/0"), SYNC)
    talk.server(READY)
    talk.client(BIND, (b"H", b""))
    talk.server(FAILED)
    talk.client(EXECUTE, SYNC)
    talk.server(READY)
    talk.client(BIND, EXECUTE, SYNC)
    talk.server(COMPLETED, READY)

    assert talk.story() == [("select 1/0", FAILED.error), ("select 1/0", "finished")]


def test_a_query_of_several_statements_lasts_until_all_are_done(talk: Talk) -> None:
    talk.client(query("select 1; select 2"))
    talk.server(COMPLETED)
    between = talk.story()
    talk.server(COMPLETED, READY)

    assert between == [("select 1; select 2", "running")]
    assert talk.story() == [("select 1; select 2", "finished")]


def test_a_statement_fetched_in_parts_is_one_statement(talk: Talk) -> None:
    talk.client(parse("select x"), BIND, EXECUTE, SYNC)
    talk.server(SUSPENDED, IN_TRANSACTION)
    between = talk.story()
    talk.client(EXECUTE, SYNC)
    talk.server(COMPLETED, IN_TRANSACTION)

    assert between == [("select x", "running")]
    assert talk.story() == [("select x", "finished")]


@pytest.mark.parametrize("last", [(b"C", b"P\0"), BIND])
def test_a_portal_closed_or_used_anew_ends_its_statement(
    talk: Talk, last: tuple[bytes, bytes]
) -> None:
    talk.client(parse("select x"), BIND, EXECUTE, SYNC)
    talk.server(SUSPENDED, IN_TRANSACTION)
    talk.client(last)

    assert talk.story() == [("select x", "finished")]


def test_the_end_of_a_transaction_ends_suspended_statements(talk: Talk) -> None:
    talk.client(parse("select x"), BIND, EXECUTE, SYNC)
    talk.server(SUSPENDED, IN_TRANSACTION)
    talk.client(query("commit"))
    talk.server(COMPLETED, READY)

    assert talk.story() == [("select x", "finished"), ("commit", "finished")]


def test_a_lost_connection_ends_what_runs_with_the_reason(talk: Talk) -> None:
    talk.client(query("select 1"))
    talk.log.ended("the server hung up")

    assert talk.story() == [("select 1", "the server hung up")]


def test_what_ran_under_a_killed_shim_ends_when_the_next_begins(talk: Talk) -> None:
    talk.client(query("select 1"))
    before = talk.story()
    StatementLog(talk.path)

    assert before == [("select 1", "running")]
    assert talk.story() == [("select 1", "the server stopped")]


def test_messages_without_an_answer_are_sent_with_the_next_sync(talk: Talk) -> None:
    sent = [talk.requests.feed(*each) for each in (parse("nvl(1)"), BIND, EXECUTE, SYNC)]

    rewritten = message(*parse("coalesce(1)"))
    assert sent == [b"", b"", b"", rewritten + message(*BIND) + message(*EXECUTE) + message(*SYNC)]
