import re

import pytest

from loader.items.table_name import TABLE, region_of

ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/user_items"


@pytest.mark.parametrize(
    ("table", "region"),
    [
        ("user_items", None),
        ("arn", None),
        (ARN, "eu-west-1"),
        ("arn:aws-us-gov:dynamodb:us-gov-west-1:111122223333:table/a.b", "us-gov-west-1"),
    ],
)
def test_the_region_of_a_table_is_that_of_its_arn(table: str, region: str | None) -> None:
    assert re.search(TABLE, table)
    assert region_of(table) == region


@pytest.mark.parametrize(
    "table",
    [
        "ab",
        "a:b",
        f"{ARN}/index/by_country",
        f"{ARN}\n",
        ARN.replace("dynamodb", "s3"),
        ARN.replace("111122223333", "1"),
        f" {ARN}",
    ],
)
def test_anything_else_is_no_table(table: str) -> None:
    assert not re.fullmatch(TABLE.strip("^$"), table)
