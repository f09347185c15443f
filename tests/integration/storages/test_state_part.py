"""tests/unit/storage/test_state_part.py on S3."""

import pytest

from tests.unit.storage.test_state_part import *  # noqa: F403

pytestmark = pytest.mark.integration
