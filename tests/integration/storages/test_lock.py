"""tests/unit/storage/test_lock.py on S3."""

import pytest

from tests.unit.storage.test_lock import *  # noqa: F403

pytestmark = pytest.mark.integration
