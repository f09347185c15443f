import threading

import pytest

from loader.background import in_background


def test_work_runs_in_the_background_and_gives_its_result() -> None:
    started, proceed = threading.Event(), threading.Event()

    def work() -> tuple[int, int]:
        started.set()
        assert proceed.wait(10)
        return (7, 3)

    future = in_background(work)
    assert started.wait(10)  # before the result is asked for
    proceed.set()

    assert future.result() == (7, 3)


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt("no"), SystemExit("no")])
def test_an_error_of_the_work_is_raised_with_its_result(error: BaseException) -> None:
    def work() -> None:
        raise error

    future = in_background(work)

    with pytest.raises(type(error), match="no"):
        future.result()
