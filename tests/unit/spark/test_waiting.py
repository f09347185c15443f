import threading

import pytest

from loader.spark import waiting


@pytest.mark.parametrize(("text", "printed"), [("start  waiting", "start  waiting\n"), (None, "")])
def test_a_long_wait_is_reported_unless_nothing_is_waited_for(
    text: str | None,
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(waiting, "WAIT_SECONDS", 0.0)
    asked = threading.Event()

    def line() -> str | None:
        asked.set()
        return text

    with waiting.reported(line):
        asked.wait()

    assert capsys.readouterr().err == printed


def test_a_wait_that_ends_is_not_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting.reported(lambda: "start  waiting") as began:
        began.set()
    with waiting.reported(lambda: "start  waiting"):
        pass

    assert capsys.readouterr().err == ""
