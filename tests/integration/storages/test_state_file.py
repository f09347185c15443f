"""tests/unit/storage/test_state_file.py on S3."""

import pytest

from tests.unit.storage.test_state_file import *  # noqa: F403

pytestmark = pytest.mark.integration
