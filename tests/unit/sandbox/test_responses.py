import struct

from hypothesis import given
from hypothesis import strategies as st

from sandbox.redshift.protocol import message
from sandbox.redshift.responses import FOLLOWED_BYTES, Event, ResponseReader

READY = message(b"Z", b"I")
COMPLETE = message(b"C", b"SELECT 2\0")
ERROR = message(b"E", b"SERROR\0VERROR\0C22012\0Mdivision by zero\0\0")
SUSPENDED = message(b"s", b"")
PARSED_AND_BOUND = message(b"1", b"") + message(b"2", b"") + message(b"T", b"\0\x01x\0")


def row(*values: bytes) -> bytes:
    columns = b"".join(struct.pack("!i", len(value)) + value for value in values)
    return message(b"D", struct.pack("!h", len(values)) + columns)


# Three columns of text that contain the bytes of ReadyForQuery: '…Z', a length of 5, 'It…'.
LOOKALIKE = row(b"size Z", b"Italy")
LONG = PARSED_AND_BOUND + row(b"x" * 100, b"Y") * (FOLLOWED_BYTES // 100)
COMPLETED = [Event("completed"), Event("ready")]
FAILED = [Event("failed", error="ERROR 22012: division by zero"), Event("ready")]


def events_of(*chunks: bytes) -> list[Event]:
    reader = ResponseReader()
    return [event for chunk in chunks for event in reader.feed(memoryview(chunk))]


@given(st.lists(st.integers(0, 400), max_size=6).map(sorted))
def test_the_events_of_short_responses_do_not_depend_on_the_chunks(cuts: list[int]) -> None:
    stream = (PARSED_AND_BOUND + row(b"1") + COMPLETE + READY + ERROR + READY) * 2
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    assert events_of(*chunks) == (COMPLETED + FAILED) * 2


@given(st.lists(st.integers(-200, 0), max_size=4).map(sorted), st.sampled_from(["ok", "failed"]))
def test_the_end_of_a_long_result_does_not_depend_on_the_chunks(cuts: list[int], how: str) -> None:
    end, expected = (COMPLETE, COMPLETED) if how == "ok" else (ERROR, FAILED)
    stream = LONG + row(b"2") * 10 + end + READY
    edges = [len(stream) + cut for cut in cuts]
    chunks = [stream[a:b] for a, b in zip([0, *edges], [*edges, len(stream)], strict=True)]

    assert events_of(LONG, *chunks, PARSED_AND_BOUND + COMPLETE + READY) == expected + COMPLETED


@given(st.integers(1, len(LOOKALIKE)))
def test_rows_that_contain_the_bytes_of_the_end_do_not_end_a_result(cut: int) -> None:
    chunks = (LONG, LOOKALIKE[:cut], LOOKALIKE[cut:], COMPLETE + READY)

    assert events_of(*chunks) == COMPLETED


def test_a_fetch_of_some_rows_suspends_the_portal() -> None:
    assert events_of(LONG + SUSPENDED, message(b"Z", b"T")) == [
        Event("suspended"),
        Event("ready", in_transaction=True),
    ]


def test_settings_after_a_result_do_not_hide_its_end() -> None:
    status = message(b"S", b"application_name\0x\0")

    assert events_of(LONG, COMPLETE + status + READY) == COMPLETED


def test_each_of_several_results_in_one_request_is_an_event() -> None:
    assert events_of(COMPLETE + LONG, COMPLETE + READY) == [Event("completed"), *COMPLETED]
