"""`nulls` and `oversize` of an export: their values, and the messages for others."""

from typing import Any

import pytest

from loader.items.export import Collect
from loader.items.limits import NAME_BYTES
from tests.support.exports import GOOD, collecting, export_of, problems_of, without
from tests.support.manifests import exposure

CHOICES = "reject, {truncate: first}, {truncate: last} or {split: <sort key>}"

NULLS = "nulls must be omit, keep or reject, or map attributes to one of them"


def oversize(policy: Any, **settings: Any) -> dict[str, Any]:
    return {**collecting(**settings), "oversize": policy}


def test_by_default_large_items_are_rejected_and_null_attributes_omitted() -> None:
    export = export_of({**GOOD, "attributes": ["country"]})

    assert (export.truncate, export.split, export.nulls, export.table_key) == (
        None,
        None,
        (),
        ("user_id",),
    )
    assert export == export_of(
        {**GOOD, "attributes": ["country"], "oversize": "reject", "nulls": "omit"}
    )


@pytest.mark.parametrize("end", ["first", "last"])
def test_an_export_may_keep_one_end_of_a_list_and_count_the_dropped_elements(end: str) -> None:
    named, unnamed = (
        export_of(oversize({"truncate": end}, **settings)) for settings in ({"dropped": "lost"}, {})
    )

    assert (named.truncate, named.split) == (unnamed.truncate, unnamed.split) == (end, None)
    assert named.collect == (Collect("items", "item_id", dropped="lost"),)
    assert unnamed.collect == (Collect("items", "item_id", dropped="items_dropped"),)


def test_an_export_may_split_items_by_a_sort_key_of_the_table() -> None:
    export = export_of(oversize({"split": "part"}))

    assert (export.truncate, export.split) == (None, "part")
    assert (export.key, export.table_key) == (("user_id",), ("user_id", "part"))
    assert (export.split_count_attribute, export_of(GOOD).split_count_attribute) == (
        "part_count",
        "",
    )
    assert "part" not in export.columns


def test_nulls_apply_to_all_attributes_or_to_each_one() -> None:
    settings = {**GOOD, "attributes": ["country", "age"]}

    assert export_of({**settings, "nulls": "keep"}).nulls == (("country", "keep"), ("age", "keep"))
    assert export_of({**settings, "nulls": {"age": "reject", "country": "omit"}}).nulls == (
        ("age", "reject"),
    )


def test_by_default_a_null_is_kept_in_a_list_and_rejected_in_a_set() -> None:
    assert [
        export_of(collecting(**settings)).collect[0].nulls
        for settings in ({}, {"as": "set"}, {"nulls": "omit"}, {"as": "set", "nulls": "omit"})
    ] == ["keep", "reject", "omit", "omit"]


ONCE = "key, collect and attributes must name each attribute once, got {}: remove one of them"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (oversize("drop"), f"oversize must be {CHOICES}, got drop: choose one"),
        (oversize(None), f"oversize must be {CHOICES}, got nothing: choose one"),
        (
            oversize({"truncate": "middle"}),
            f"oversize must be {CHOICES}, got {{'truncate': 'middle'}}: choose one",
        ),
        (oversize({"split": ""}), f"oversize must be {CHOICES}, got {{'split': ''}}: choose one"),
        (
            oversize({"split": "part", "truncate": "first"}),
            f"oversize must be {CHOICES}, got {{'split': 'part', 'truncate': 'first'}}: choose one",
        ),
        (
            {**without("collect"), "oversize": {"split": "part"}},
            "oversize must be reject if nothing is collected, got split: part: remove it",
        ),
        (
            {**without("collect"), "oversize": {"truncate": "last"}},
            "oversize must be reject if nothing is collected, got truncate: last: remove it",
        ),
        (
            {**oversize({"split": "part"}), "key": ["user_id", "country"]},
            "key must have one column if oversize splits items, "
            "got user_id, country: remove the sort key",
        ),
        (oversize({"split": "user_id"}), ONCE.format("user_id")),
        (oversize({"split": "items"}), ONCE.format("items")),
        (
            {**oversize({"split": "part"}), "attributes": "part_count"},
            ONCE.format("part_count"),
        ),
        (oversize({"truncate": "first"}, dropped="user_id"), ONCE.format("user_id")),
        (
            {**oversize({"truncate": "first"}), "attributes": "items_dropped"},
            ONCE.format("items_dropped"),
        ),
        (
            oversize({"split": "p" * 256}),
            f"a name in the key must be at most 255 characters, got {'p' * 20}… of 256: shorten it",
        ),
        (
            {**GOOD, "collect": {"é" * 32_768: {"column": "item_id"}}},
            f"an attribute's name must be at most 65535 bytes, got {'é' * 20}… of 65536: "
            "shorten it",
        ),
        (
            {**GOOD, "collect": {"": {"column": "item_id"}}},
            "collect must name each attribute in text, got '': put it in quotes",
        ),
        (
            {**GOOD, "collect": {7: {"column": "item_id"}}},
            "collect must name each attribute in text, got 7: put it in quotes",
        ),
        (
            {**GOOD, "nulls": None},
            f"{NULLS}, got nothing: choose one",
        ),
        (
            {**GOOD, "nulls": {"country": "omit"}},
            "nulls must name columns of attributes, got country: add it to attributes",
        ),
        (
            {**GOOD, "attributes": "age", "nulls": {"age": "drop"}},
            "nulls of age must be omit, keep or reject, got drop: choose one",
        ),
    ],
)
def test_an_invalid_policy_is_refused_with_its_rule(settings: dict[str, Any], problem: str) -> None:
    assert problems_of(exposure("user_items", settings)) == [f"export user_items: {problem}"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (collecting(nulls="null"), "nulls must be omit, keep or reject, got null: choose one"),
        (
            collecting(nulls="keep", **{"as": "set"}),
            "nulls must be omit or reject in a set, got keep: choose one, or use as: list",
        ),
        (
            collecting(dropped="lost"),
            "dropped must be used with oversize: {truncate: …}, got lost: remove it",
        ),
        (
            oversize({"split": "part"}, dropped="lost"),
            "dropped must be used with oversize: {truncate: …}, got lost: remove it",
        ),
        (
            oversize({"truncate": "first"}, dropped=""),
            "dropped must be a name, got : set it",
        ),
    ],
)
def test_an_invalid_policy_of_a_collected_attribute_is_refused_with_its_place(
    settings: dict[str, Any], problem: str
) -> None:
    assert problems_of(exposure("user_items", settings)) == [
        f"export user_items: collect.items: {problem}"
    ]


def test_the_longest_name_is_accepted() -> None:
    name = "n" * NAME_BYTES

    assert export_of({**GOOD, "collect": {name: {"column": "i"}}}).collect[0].attribute == name


def test_all_problems_of_the_policies_are_reported_together() -> None:
    settings = {**collecting(nulls="x", dropped="lost"), "oversize": "cut", "nulls": "y"}

    assert problems_of(exposure("user_items", settings)) == [
        f"export user_items: {NULLS}, got y: choose one",
        f"export user_items: oversize must be {CHOICES}, got cut: choose one",
        "export user_items: collect.items: nulls must be omit, keep or reject, got x: choose one",
        "export user_items: collect.items: dropped must be used with oversize: {truncate: …}, "
        "got lost: remove it",
    ]
