import threading

import pytest

from loader.background import Background


def test_work_goes_on_beside_and_gives_its_result() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> tuple[int, int]:
        begun.set()
        assert go_on.wait(10)
        return (7, 3)

    beside = Background(work)
    assert begun.wait(10)  # it runs although nobody has asked for the result
    go_on.set()

    assert beside.result() == (7, 3)


def test_an_error_of_the_work_is_raised_where_its_result_is_asked_for() -> None:
    def work() -> None:
        raise ValueError("no")

    beside = Background(work)

    with pytest.raises(ValueError, match="no"):
        beside.result()
