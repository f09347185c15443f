"""Cases are played in processes at the same time, each case once."""

import os
from collections.abc import Iterator

import pytest

from tests.cluster.lanes import FORK, play_all

CASES = [1, 2, 3, 4]


def test_each_case_is_played_once_and_results_are_in_the_order_of_the_cases() -> None:
    both = FORK.Barrier(2)

    def play(number: int, cases: Iterator[int]) -> Iterator[tuple[int, int]]:
        for place, case in enumerate(cases):
            if place < 2:
                both.wait(60)
            yield case, number

    assert play_all(CASES, play, 2) == [(1, 0), (2, 0), (3, 1), (4, 1)]


def test_one_process_plays_the_cases_in_their_order() -> None:
    def play(_: int, cases: Iterator[int]) -> Iterator[tuple[int, int]]:
        for place, case in enumerate(cases):
            yield case, place

    assert play_all(CASES, play, 1) == [(1, 0), (2, 1), (3, 2), (4, 3)]


def test_a_process_that_ends_without_results_fails_the_run() -> None:
    def play(number: int, cases: Iterator[int]) -> Iterator[int]:
        if number:
            os._exit(3)
        yield from cases

    with pytest.raises(RuntimeError, match="process 1 of the cases ended"):
        play_all(CASES, play, 2)
