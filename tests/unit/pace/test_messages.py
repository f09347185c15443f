"""The lines between task and driver."""

import pytest

from loader.pace.messages import Key, ask_line, grant_line, read_ask, read_grant
from loader.pace.report import Ask, Grant, Report, Throttle

REPORT = Report(
    75.0, 50.0, 25.0, 10.0, 3, {"": 50.0, "by_item": 25.0},
    {Throttle(): 1, Throttle("by_item", "IndexWriteKeyRangeThroughputExceeded", hot_key=True): 2},
)  # fmt: skip


@pytest.mark.parametrize("ask", [Ask(Report()), Ask(REPORT, 7, 25.0, 50.0)])
def test_an_ask_arrives_as_it_was_sent(ask: Ask) -> None:
    assert read_ask(ask_line(ask)) == ask


@pytest.mark.parametrize("grant", [Grant(), Grant(50.0, 200.0), Grant(50.0)])
def test_a_grant_arrives_as_it_was_sent(grant: Grant) -> None:
    assert read_grant(grant_line(grant)) == grant


@pytest.mark.parametrize(
    "line",
    [
        b"", b"GET / HTTP/1.1", b"[]", b"{}", b'{"units":-1,"request_units":null}',
        b'{"units":NaN,"request_units":null}', b'{"units":"many","request_units":null}',
        b'{"ask":[1,Infinity,1],"totals":[0,0,0,0],"requests":0,"consumed":{},"throttles":[]}',
        b'{"ask":[1],"totals":[0,0,0,0],"requests":0,"consumed":{},"throttles":[]}',
        b'{"ask":[1,2,3],"totals":[0,0,0,0],"requests":0,"consumed":[],"throttles":[]}',
    ],
)  # fmt: skip
def test_any_other_line_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        read_ask(line)
    with pytest.raises(ValueError):  # noqa: PT011
        read_grant(line)


def test_a_proof_holds_for_its_role_its_key_and_its_nonces() -> None:
    key = Key()
    proof = key.proof("task", "a", "b")
    assert key.proves(proof, "task", "a", "b")
    assert not key.proves(proof, "driver", "a", "b")
    assert not key.proves(proof, "task", "a", "c")
    assert not Key().proves(proof, "task", "a", "b")
    assert not key.proves("é", "task", "a", "b")


def test_a_key_does_not_show_its_secret() -> None:
    key = Key(b"a secret")
    assert (repr(key), str(key)) == ("Key()", "Key()")
