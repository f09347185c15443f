import json
from dataclasses import replace

import pytest

from loader.observe import message
from loader.observe.run_end import ExportEnd, RunEnd

COMPLETE = ExportEnd("user_items", "complete", "run", "items", figures={"put": 84})
REFUSED = ExportEnd(
    "orders",
    "refused",
    guarded=True,
    missing=["too many deletes"],
    next_step="Fix the cause, then",
    next_command="loader load --export orders",
)
INCOMPLETE = replace(COMPLETE, outcome="incomplete", missing=["7 changes were not acknowledged"])


def end(*exports: ExportEnd, code: int = 0) -> RunEnd:
    return RunEnd("load", code, 1.0, 2.0, exports, version="1.0")


@pytest.mark.parametrize(
    ("exports", "code", "summary"),
    [
        ([COMPLETE], 0, "user_items complete (exit code 0)"),
        ([REFUSED], 2, "orders REFUSED: too many deletes (exit code 2)"),
        ([ExportEnd("", "failed")], 1, "the run FAILED (exit code 1)"),
        ([COMPLETE, COMPLETE], 0, "2 exports are complete (exit code 0)"),
        (
            [COMPLETE, REFUSED, INCOMPLETE],
            2,
            "2 of 3 exports are not complete: orders REFUSED, user_items INCOMPLETE (exit code 2)",
        ),
        (
            [REFUSED] * 5,
            2,
            "5 of 5 exports are not complete: orders REFUSED, orders REFUSED, orders REFUSED, and "
            "2 more (exit code 2)",
        ),
    ],
)
def test_the_summary_is_one_line(exports: list[ExportEnd], code: int, summary: str) -> None:
    assert message.summary(end(*exports, code=code)) == summary


def test_the_text_has_the_commands_that_go_on() -> None:
    unlike = replace(COMPLETE, deviates=["rows", "deletes"])

    assert message.text(end(unlike, REFUSED, code=2)).splitlines() == [
        "1 of 2 exports are not complete: orders REFUSED (exit code 2)",
        "user_items: rows, deletes differ from the last runs",
        "Fix the cause, then: loader load --export orders",
    ]


def test_a_subject_is_ascii_in_one_line_of_less_than_100_characters() -> None:
    long = replace(REFUSED, missing=["übermäßig\nviele \x1b" + "x" * 200])

    subject = message.subject(end(long, code=2))

    assert (len(subject), subject.isascii(), "\n" in subject) == (99, True, False)
    assert subject.startswith("loader: orders REFUSED: ?berm??ig viele \\x1bxxx")
    assert message.subject(end(COMPLETE)) == "loader: user_items complete (exit code 0)"


def test_the_exports_with_a_problem_come_first_and_the_body_stays_small() -> None:
    document = json.loads(message.body(end(*[COMPLETE] * 150, REFUSED, code=2)))

    assert (len(document["exports"]), document["exports_left_out"]) == (100, 51)
    assert [export["export"] for export in document["exports"][:2]] == ["orders", "user_items"]
    assert document["exports"][0]["complete"] is False
    assert document["exports"][1]["put"] == 84


@pytest.mark.parametrize(
    ("word", "notified"),
    [
        ("problem", [INCOMPLETE, REFUSED]),
        ("incomplete", [INCOMPLETE]),
        ("guarded", [REFUSED]),
        ("refused", [REFUSED]),
        ("complete", [COMPLETE]),
        ("deviates", []),
        ("always", [COMPLETE, INCOMPLETE, REFUSED]),
        ("never", []),
        ("always,never", []),
        ("guarded,incomplete", [INCOMPLETE, REFUSED]),
    ],
)
def test_a_word_names_the_ends_that_are_notified(word: str, notified: list[ExportEnd]) -> None:
    ends = [COMPLETE, INCOMPLETE, REFUSED]

    assert [e for e in ends if message.is_notified(end(e), word.split(","))] == notified


def test_a_run_unlike_the_last_ones_is_notified_with_its_word() -> None:
    unlike = replace(COMPLETE, deviates=["rows"])

    assert message.is_notified(end(unlike), ["deviates"])
    assert not message.is_notified(end(unlike), ["problem"])


def test_a_message_fits_sns_whatever_a_run_is_refused_for() -> None:
    problems = [f"{number} " + "x" * 5_000 for number in range(300)]
    refused = replace(REFUSED, missing=problems, next_command="y" * 30_000)

    document = json.loads(body := message.body(end(*[refused] * 150, code=2)))

    assert len(body) <= message.MOST_BYTES
    shown = document["exports"]
    assert 0 < len(shown) == 150 - document["exports_left_out"]
    assert (len(shown[0]["missing"]), shown[0]["missing"][-1]) == (11, "290 more")
    assert len(document["text"]) <= message.MOST_TEXT + 1
