from dataclasses import replace

from loader.adoption import Adoption, adoption_lines

FIRST = Adoption(
    export="user_items",
    table="user_items",
    run="2026-11-26T20-45-30-077Z-d402",
    serial=1,
    keys=4_320,
    bytes=5_614_592,
    seconds=3.42,
    read_units=2_742.0,
    read_limit=500.0,
    read_limit_source="as set: 500",
    throttled=0,
    replaced=None,
    unfinished=[],
    load_command="loader load --export user_items",
    plan_command="loader plan --export user_items",
)


def test_an_adoption_says_what_the_next_load_will_delete() -> None:
    assert adoption_lines(FIRST) == [
        "user_items   adopted 4,320 keys of table user_items   3.4 s   "
        "run 2026-11-26T20-45-30-077Z-d402",
        "  read       5,614,592 bytes, 2,742 read units, at most 500 per second (as set: 500)",
        "  state      serial 1, the first",
        "The next load deletes the keys that the model does not have, within its limits. "
        "See them first:",
        "  loader plan --export user_items",
    ]


def test_what_an_adoption_replaces_is_shown() -> None:
    lines = adoption_lines(replace(FIRST, serial=8, replaced=4_300, unfinished=["a", "b"]))

    assert lines[2:4] == [
        "  state      serial 8, replaces 4,300 keys",
        "  settled    what was in doubt of a, b",
    ]
