import json
from pathlib import Path

import pytest

from loader.dynamodb.prices import Price, read_price
from loader.errors import Refused
from tests.support.repository import REPOSITORY

PAGE = "https://aws.amazon.com/dynamodb/pricing/on-demand/"


def test_the_price_of_a_region_is_in_the_package() -> None:
    assert read_price("us-east-1") == Price(
        "us-east-1", "us-east-1", 0.625, 0.00065, "2026-07-30", PAGE, "", 0.00065
    )


def test_every_price_of_the_package_has_a_date_and_a_source() -> None:
    regions = json.loads((REPOSITORY / "loader/dynamodb/prices.json").read_text())["regions"]

    assert {"us-east-1", "eu-west-1"} <= set(regions)
    for region in regions:
        price = read_price(region)
        assert (price.region, price.asked, price.source) == (region, region, PAGE)
        assert len(price.date) == 10
        assert price.warm_unit is not None


def test_an_unknown_region_gets_the_price_of_the_fallback() -> None:
    price = read_price("eu-north-1")

    assert (price.region, price.asked) == ("us-east-1", "eu-north-1")


def test_a_file_of_the_user_replaces_that_of_the_package(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    ours = {"million_write_units": 0.5, "provisioned_unit_hour": 0.0004, "date": "d", "source": "s"}
    file.write_text(json.dumps({"fallback": "here", "regions": {"here": ours}}))

    assert read_price("us-east-1", file) == Price("here", "us-east-1", 0.5, 0.0004, "d", "s")


PRICES = '{"fallback": "a", "regions": {"a": {"million_write_units": %s}}}'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "FileNotFoundError: "),
        ("{", "JSONDecodeError: "),
        ("[]", "TypeError: "),
        ("{}", "KeyError: 'regions'"),
        (PRICES % 1, "KeyError: 'provisioned_unit_hour'"),
        (
            PRICES % '-1, "provisioned_unit_hour": 1, "date": "", "source": ""',
            "ValueError: the prices -1 and 1",
        ),
    ],
)
def test_a_file_that_is_not_a_price_list_is_refused(
    tmp_path: Path, text: str | None, reason: str
) -> None:
    file = tmp_path / "prices.json"
    if text is not None:
        file.write_text(text)

    with pytest.raises(Refused) as refused:
        read_price("a", file)

    [problem] = refused.value.problems
    assert problem.startswith(
        "--prices must be a file with the structure of the loader's prices.json, "
        f"got {file} ({reason}"
    )
    assert problem.endswith("): see docs/read-a-plan.md")
