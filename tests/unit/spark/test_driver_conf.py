from typing import Any

import pytest
from py4j.protocol import Py4JNetworkError

from loader.spark.driver_conf import DriverConf, driver_conf


class EndedSession:
    def __init__(self, error: Exception) -> None:
        self.error = error

    @property
    def sparkContext(self) -> Any:  # noqa: N802 Spark's name
        raise self.error


@pytest.mark.parametrize("error", [ConnectionRefusedError(111), Py4JNetworkError("gone")])
def test_a_jvm_that_has_ended_has_no_properties_and_leaves_the_message_to_the_next_job(
    error: Exception,
) -> None:
    session: Any = EndedSession(error)

    assert driver_conf(session) == DriverConf({}, 1)
