from datetime import datetime, timedelta, timezone
from pathlib import Path

from sandbox.statements import Statement, most_at_once, read_statements

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def statement(start: int, end: int | None) -> Statement:
    return Statement(
        id=start,
        session_id=1,
        user="u",
        database="d",
        application_name="",
        text="select 1",
        rewritten=None,
        started_at=NOON + timedelta(seconds=start),
        finished_at=None if end is None else NOON + timedelta(seconds=end),
    )


def test_most_at_once_counts_overlaps() -> None:
    assert most_at_once([statement(0, 10), statement(1, 3), statement(2, 4), statement(5, 6)]) == 3


def test_a_statement_that_starts_when_another_ends_does_not_overlap_it() -> None:
    assert most_at_once([statement(0, 1), statement(1, 2)]) == 1


def test_a_running_statement_overlaps_all_later_ones() -> None:
    assert most_at_once([statement(0, None), statement(5, 6), statement(7, 8)]) == 2


def test_no_statements_overlap_zero_times() -> None:
    assert most_at_once([]) == 0


def test_an_incomplete_line_is_not_read(tmp_path: Path) -> None:
    log = tmp_path / "statements.jsonl"
    log.write_text(
        '{"event": "opened", "at": "2026-01-01T12:00:00+00:00", "id": 1}\n{"event": "sta'
    )

    assert read_statements(log) == []
