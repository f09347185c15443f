"""tests/unit/storage/test_newest_build.py on S3."""

import pytest

from tests.unit.storage.test_newest_build import *  # noqa: F403

pytestmark = pytest.mark.integration
