from dataclasses import replace

from loader.verify.attributes import AttributeDifference
from loader.verify.verify_lines import verify_lines
from loader.verify.verify_report import Example, Sample, VerifyReport

EQUAL = VerifyReport(
    export="user_items",
    table="user_items",
    run="2026-11-26T20-45-30-077Z-d402",
    against="model",
    expected_of="stg_retail__transactions, 407,695 rows",
    seconds=9.84,
    expected=4_314,
    read=4_314,
    equal=4_314,
    missing=0,
    extra=0,
    different=0,
    in_doubt=0,
    rejected=0,
    settled=0,
    rejected_items=0,
    keyless_rows=0,
    read_units=2_742.0,
    read_limit=6_000.0,
    read_limit_source="50% of the 12,000 that are its warm throughput",
    throttled=0,
    loaded_meanwhile=False,
)
TABLE_LINE = (
    "  table      4,314 items of user_items, 2,742 read units, at most 6,000 per second "
    "(50% of the 12,000 that are its warm throughput)"
)


def key(user: str) -> str:
    return f'"user_id":{{"S":"{user}"}}'


def test_an_equal_table_has_four_lines() -> None:
    assert EQUAL.clean
    assert verify_lines(EQUAL) == [
        "user_items   EQUAL   9.8 s",
        "  model      4,314 items of stg_retail__transactions, 407,695 rows",
        TABLE_LINE,
        "  compared   4,314 equal + 0 missing + 0 extra + 0 different",
    ]


def test_keys_that_differ_are_shown_with_their_attributes_and_the_commands_that_repair_them() -> (
    None
):
    report = replace(
        EQUAL,
        equal=4_305,
        missing=7,
        extra=1,
        different=2,
        missing_examples=[Example(key(f"m{n}")) for n in range(7)],
        extra_examples=[Example(key("x"))],
        different_examples=[
            Example(
                key("12347"),
                [
                    AttributeDifference("country", '{"S":"UK"}', '{"S":"FR"}'),
                    AttributeDifference("items", None, '{"L":[]}'),
                ],
            ),
            Example(key("12348")),
        ],
        next_commands=["Then:  loader load --export user_items"],
    )

    assert not report.clean
    assert verify_lines(report) == [
        "user_items   DIFFERENT: 7 missing, 1 extra, 2 different   9.8 s",
        "  model      4,314 items of stg_retail__transactions, 407,695 rows",
        TABLE_LINE,
        "  compared   4,305 equal + 7 missing + 1 extra + 2 different",
        "  missing    user_id m0",
        "             user_id m1",
        "             user_id m2",
        "             user_id m3",
        "             user_id m4",
        "             and 2 more",
        "  extra      user_id x",
        "  different  user_id 12347",
        '               country: table {"S":"UK"}',
        '                        model {"S":"FR"}',
        "               items: table no such attribute",
        '                      model {"L":[]}',
        "             user_id 12348",
        "Then:  loader load --export user_items",
    ]


def test_what_is_not_compared_and_what_may_have_disturbed_is_said() -> None:
    report = replace(
        EQUAL,
        against="state",
        expected_of="run 1 (serial 7)",
        in_doubt=3,
        settled=2,
        rejected=1,
        rejected_items=4,
        keyless_rows=5,
        loaded_meanwhile=True,
        notes=["run 2 did not end"],
    )

    assert verify_lines(report)[1:] == [
        "  state      4,314 items of run 1 (serial 7)",
        TABLE_LINE,
        "  compared   4,314 equal + 0 missing + 0 extra + 0 different + 3 in doubt; "
        "2 of the equal ones when read again",
        "  ignored    4 items that the plan rejects (1 of them are in the table); "
        "5 rows without a key; 3 keys in doubt",
        "  note       run 2 did not end",
        "  note       a run of this export was writing meanwhile: verify again",
    ]


def test_a_sample_is_shown_with_the_shares_that_it_leaves_possible() -> None:
    sample = Sample(0.05, 216, 10, 200, 209, 0.0138, 0.01423)

    lines = verify_lines(replace(EQUAL, sample=sample))

    assert lines[0] == "user_items   EQUAL as far as it was read   9.8 s"
    assert lines[4:] == [
        "  sample     216 keys (5 %), and 209 items in 10 of 200 segments",
        "  95 % sure  at most 1.4 % of the keys are missing or different, "
        "at most 1.4 % of the items are extra",
    ]
