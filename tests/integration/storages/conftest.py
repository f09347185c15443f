"""The tests of the storage on S3: those of tests/unit/storage, and lost answers."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from loader.storage.location import Location

_numbers = itertools.count()


@pytest.fixture(scope="session")
def bucket(s3: Any) -> str:
    s3.create_bucket(Bucket="storages")
    return "storages"


@pytest.fixture
def storage(sandbox_env: dict[str, str], bucket: str) -> Location:
    """An empty folder."""
    return Location(f"s3://{bucket}/{next(_numbers)}")
