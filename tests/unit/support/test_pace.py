"""The results of `make pace`: figures of a record, rules and the table."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loader.pace import broker
from loader.pace.allowance import Allowance
from loader.pace.ceiling import Ceiling
from loader.pace.client import Address, Client
from loader.pace.messages import Key
from loader.pace.report import TABLE
from sandbox.capacity.log import Record, Use
from sandbox.capacity.measure import Step
from sandbox.capacity.traffic import USER_AGENT
from tests.pace import ended_broker
from tests.pace.ended_broker import EndedBroker
from tests.pace.plot import svg
from tests.pace.result import Result, Rule, measured
from tests.pace.table import BEGIN, END, lines, write_table

RULE = Rule(used=0.97, throttled=0.01)
ALLOWED = [Step(0.0, 100.0)]


def steady(
    begin: float, end: float, units: float, resource: str = "users", who: str = "loader"
) -> list[Use]:
    """So many units per second, in ten requests per 100 ms, one of which is throttled."""
    return [
        Use(n / 10, resource, "Write", who, units / 10, 10, 1, Counter(), n / 10, (n + 1) / 10)
        for n in range(round(begin * 10), round(end * 10))
    ]


def record(*uses: list[Use]) -> Record:
    return Record(tuple(use for list_ in uses for use in list_), ())


def test_a_result_has_the_shares_of_the_loader_without_the_other_traffic() -> None:
    other = [replace(use, throttled=5) for use in steady(2, 12, 500, who=USER_AGENT)]
    outside = steady(0, 2, 500, who=USER_AGENT)

    result = measured(
        "even", RULE, record(steady(2, 12, 90), other, outside), "users", steps=ALLOWED
    )

    assert result == Result(
        "even",
        RULE,
        allowed=pytest.approx(100.0),  # type: ignore[arg-type]
        used_share=pytest.approx(0.9),  # type: ignore[arg-type]
        throttled_share=0.1,
        worst_5s_share=pytest.approx(0.9),  # type: ignore[arg-type]
        followed=[],
        live_throttled=0.5,
        seconds=10.0,
    )


def test_the_requests_of_a_case_with_an_index_are_those_of_its_table() -> None:
    index = [replace(use, throttled=0) for use in steady(0, 10, 50, "users/index/by_segment")]

    result = measured(
        "index", RULE, record(index, steady(0, 10, 100)), index[0].resource, steps=ALLOWED
    )

    assert result.used_share == pytest.approx(0.5)
    assert result.throttled_share == 0.1


def test_the_first_seconds_of_a_case_that_finds_its_limit_do_not_count() -> None:
    uses = record(steady(3, 23, 10), steady(23, 33, 96))

    result = measured("max", RULE, uses, "users", steps=ALLOWED, after=20)

    assert result.used_share == pytest.approx(0.96)
    assert result.worst_5s_share == pytest.approx(0.96)


def test_a_changed_limit_is_followed_only_before_the_next_change() -> None:
    uses = record(steady(0, 12, 100), steady(12, 20, 50), steady(20, 30, 50))
    changes = [Step(10, 50), Step(20, 80)]

    result = measured("changes", Rule(follow=1.5), uses, "users", steps=ALLOWED, changes=changes)

    assert result.followed == [2.0, None]
    assert result.broken == ["limits followed after 2.0 s, never"]


def test_a_load_that_wrote_nothing_keeps_no_rule() -> None:
    refused = Use(0.0, "users", "Write", "loader", requests=1, throttled=1)

    result = measured("even", RULE, record([refused]), "users", steps=ALLOWED)

    assert result.broken == ["nothing was written", "0 % used"]


@pytest.mark.parametrize(
    ("rule", "text", "broken"),
    [
        (Rule(used=0.97), "at least 97 % used", "95.5 % used"),
        (Rule(throttled=0.01), "at most 1 % throttled", "3 % throttled"),
        (Rule(worst_5s=1.05), "at most 105 % in any 5 s", "110 % in 5 s"),
        (
            Rule(live_throttled=0.01),
            "at most 1 % of the other traffic throttled",
            "2 % of the other traffic throttled",
        ),
        (Rule(follow=5), "followed within 5 s", "limits followed after 6.2 s"),
    ],
)
def test_a_rule_that_is_broken_is_shown_with_the_value(rule: Rule, text: str, broken: str) -> None:
    values = Result("even", rule, 2_000.0, 0.955, 0.03, 1.1, [3.0, 6.2], live_throttled=0.02)

    assert str(rule) == text
    assert values.broken == [broken]
    assert replace(values, rule=Rule()).broken == []


RESULTS = [
    Result("even", RULE, 2_000.0, 0.98123, 0.004, 1.02),
    Result("changes", Rule(follow=5), 1_200.0, 0.9, 0.2, 1.5, [1.5, None]),
    Result("live", Rule(live_throttled=0.01), 1_000.0, 0.9, 0.0, 1.0, live_throttled=0.002),
]


def test_the_report_has_five_fields_per_case() -> None:
    assert RESULTS[0].row == {
        "case": "even",
        "allowed": 2_000.0,
        "used_share": 0.9812,
        "throttled_share": 0.004,
        "worst_5s_share": 1.02,
    }


def test_the_terminal_shows_what_does_not_hold_below_its_case() -> None:
    assert lines(RESULTS) == [
        "case     allowed  used    throttled  worst 5 s  followed      others  result",
        "even     2,000    98.1 %  0.4 %      102 %                            ok",
        "changes  1,200    90 %    20 %       150 %      1.5 s, never          RED",
        "  limits followed after never",
        "live     1,000    90 %    0 %        100 %                    0.2 %   ok",
    ]


def test_the_page_gets_the_table_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")

    write_table(page, ["equal partitions", "changed", "others write"], RESULTS)

    head, _, table = page.read_text().partition(f"{BEGIN}\n")
    assert (head, table.partition(END)[2]) == ("before\n\n", "\n\nafter\n")
    assert table.partition(END)[0].splitlines()[2:] == [
        "| `even` | equal partitions | at least 97 % used, at most 1 % throttled "
        "| 2,000 | 98.1 % | 0.4 % | 102 % |",
        "| `changes` | changed | followed within 5 s: 1.5 s, never (missed: limits followed after "
        "never) | 1,200 | 90 % | 20 % | 150 % |",
        "| `live` | others write | at most 1 % of the other traffic throttled: 0.2 % "
        "| 1,000 | 90 % | 0 % | 100 % |",
    ]


def test_the_plot_is_a_document_with_a_line_of_each_kind() -> None:
    uses, others = steady(0, 3, 100), steady(0, 4, 40, who=USER_AGENT)

    plot = ElementTree.fromstring(svg("a & b", uses, others, ALLOWED))  # noqa: S314  our own text

    kinds = [element.get("class") for element in plot if element.tag.endswith("polyline")]
    assert kinds == ["others", "used", "allowed"]


def test_a_broker_that_ends_is_started_again_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(broker, "Broker", EndedBroker)
    monkeypatch.setattr(ended_broker, "AFTER_SECONDS", 0.0)
    monkeypatch.setattr(EndedBroker, "count", 0)
    key = Key()
    first = EndedBroker(Allowance({TABLE: Ceiling(1.0, 1.0)}, time.monotonic()), key, "127.0.0.1")
    with closing(Client(Address("127.0.0.1", first.port, key))):
        first._thread.join()
        second = first.restarted()

    assert (first.is_serving, second.is_serving, second.port) == (False, True, first.port)
    second.close()
    assert capsys.readouterr().err == f"{ended_broker.STRUCK}\n"
