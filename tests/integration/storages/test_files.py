"""tests/unit/storage/test_files.py on S3."""

import pytest

from tests.unit.storage.test_files import *  # noqa: F403

pytestmark = pytest.mark.integration
