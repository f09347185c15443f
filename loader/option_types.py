"""The forms of values on the command line; a wrong one is an error of argparse."""

import re
from argparse import ArgumentTypeError

from loader.age_limit import AgeLimit, age_limit
from loader.capacity_setting import CapacitySetting, capacity_setting
from loader.change_limit import ChangeLimit, change_limit

FILE = re.compile(r"s3://[^/]+/(.*[^/])|(?![A-Za-z0-9]+:/).*[^/]", re.DOTALL)


def spark_property(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.startswith("spark."):
        raise ArgumentTypeError(f"must be spark.name=value, got {name}")
    return name, value


def limit(text: str) -> ChangeLimit:
    try:
        return change_limit(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def capacity(text: str) -> CapacitySetting:
    try:
        return capacity_setting(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def age(text: str) -> AgeLimit:
    try:
        return age_limit(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def file(text: str) -> str:
    if FILE.fullmatch(text):
        return text
    raise ArgumentTypeError(f"must be a file or s3://bucket/key, got {text}")


def share(text: str) -> float:
    """`5%` as 0.05."""
    try:
        share = float(text.removesuffix("%")) / 100 if text.endswith("%") else 0.0
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise ArgumentTypeError(f"must be above 0% and below 100%, got {text}: give 5%")
    return share
