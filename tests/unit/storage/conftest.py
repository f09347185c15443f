from pathlib import Path

import pytest

from loader.storage.location import Location


@pytest.fixture
def storage(tmp_path: Path) -> Location:
    """An empty folder; the same tests run on S3 in tests/integration/storages."""
    return Location(str(tmp_path)) / "storage"
