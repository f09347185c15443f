from typing import Any

import pytest
from botocore.exceptions import ClientError

from loader.dynamodb.show import item_lines, keys_in, readable
from loader.errors import Refused

TEXT, PAIR = (("k", "S"),), (("k", "S"), ("s", "S"))


@pytest.mark.parametrize(
    ("text", "key", "keys"),
    [
        ("a/b", TEXT, [{"k": {"S": "a/b"}}]),
        ("a/b", PAIR, [{"k": {"S": "a"}, "s": {"S": "b"}}]),
        (
            "a/b/c",
            PAIR,
            [{"k": {"S": "a"}, "s": {"S": "b/c"}}, {"k": {"S": "a/b"}, "s": {"S": "c"}}],
        ),
        (
            "//a",
            PAIR,
            [{"k": {"S": "/"}, "s": {"S": "a"}}],
        ),
        ("a/7/-1.5e3", (("k", "S"), ("s", "N")), [{"k": {"S": "a/7"}, "s": {"N": "-1.5e3"}}]),
        ("/+8=/7", (("k", "B"), ("s", "N")), [{"k": {"B": b"\xff\xef"}, "s": {"N": "7"}}]),
        ("7", (("k", "N"),), [{"k": {"N": "7"}}]),
        ("seven", (("k", "N"),), []),
        ("٧", (("k", "N"),), []),
        ("not base64", (("k", "B"),), []),
        ("", TEXT, []),
        ("a", PAIR, []),
        ("a/", PAIR, []),
    ],
)
def test_a_text_is_each_key_that_its_slashes_and_types_allow(
    text: str, key: Any, keys: list[Any]
) -> None:
    assert list(keys_in(text, key)) == keys


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"S": "a b"}, "a b"),
        ({"S": "\x1b[31mred\x07\nü\u202e"}, "\\x1b[31mred\\x07\\nü\\u202e"),
        ({"N": "99999999999999999999999999999999999999"}, "99999999999999999999999999999999999999"),
        ({"B": b"\x00\xff\x1b"}, "AP8b"),
        ({"BOOL": True}, "true"),
        ({"NULL": True}, "null"),
        ({"SS": ["a", "\x1b"]}, "2: a, \\x1b"),
        ({"NS": ["1", "2.50"]}, "2: 1, 2.50"),
        ({"BS": [b"\x00", b""]}, "2: AA==, "),
        ({"L": []}, "0: "),
        ({"L": [{"N": str(n)} for n in range(7)]}, "7: 0, 1, 2, 3, 4, … (5 of 7)"),
        (
            {"L": [{"M": {"\x1b": {"BS": [b"\xff"]}}}, {"L": [{"S": "a"}, {"NULL": True}]}]},
            '2: {"\\u001b": [/w==]}, ["a", null]',
        ),
        ({"M": {"a": {"SS": ['"']}, "b": {"BOOL": False}}}, '{"a": ["\\""], "b": false}'),
    ],
)
def test_a_value_of_any_type_is_one_line_that_cannot_control_the_terminal(
    value: Any, line: str
) -> None:
    assert readable({"k": {"S": "1"}, "x": value}, ["k"]) == ["k  1", f"x  {line}"]


def test_the_key_comes_first_and_names_cannot_control_the_terminal() -> None:
    item = {"b": {"S": "1"}, "\x1b[0m": {"S": "2"}, "k": {"S": "3"}, "s": {"N": "4"}}

    assert readable(item, ["k", "s"]) == [
        "k        3",
        "s        4",
        "\\x1b[0m  2",
        "b        1",
    ]


def test_an_item_whose_table_has_a_key_of_kms_that_was_denied_names_its_policy() -> None:
    message = "KMS key access denied error: AWSKMSException: The ciphertext …"
    denied = ClientError(
        {"Error": {"Code": "AccessDeniedException", "Message": message}}, "GetItem"
    )
    table = {
        "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
        "TableStatus": "ACTIVE",
    }

    class Dynamodb:
        def describe_table(self, **_: Any) -> Any:
            return {"Table": table}

        def get_item(self, **_: Any) -> Any:
            raise denied

    dynamodb: Any = Dynamodb()
    with pytest.raises(Refused) as refused:
        item_lines(dynamodb, "items", ["a"])

    assert refused.value.problems == [
        f"cannot get the item a of table items: {denied}. Grant docs/iam/dynamodb-kms.json for the "
        "table's KMS key, also to the executors, and check the key's policy"
    ]
