"""tests/unit/storage/test_prune.py on S3."""

import pytest

from tests.unit.storage.test_prune import *  # noqa: F403

pytestmark = pytest.mark.integration
