"""The check of a view, before its first row is read."""

from typing import Any

import pytest
from py4j.protocol import Py4JNetworkError

from loader.errors import Refused
from loader.plan import view_check
from loader.plan.view_check import check_view
from loader.settings import Settings
from loader.warehouse.connection import Connection
from loader.warehouse.sign_in import Secrets, SignIn
from tests.support.exports import SHORT


@pytest.mark.parametrize("first", ["driver_notes", "describe"])
def test_a_jvm_that_has_ended_is_a_problem_of_the_view(
    monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    def ended(*_: Any) -> Any:
        raise Py4JNetworkError("Answer from Java side is empty")

    monkeypatch.setattr(view_check, "driver_notes", lambda *_: ())
    monkeypatch.setattr(view_check, first, ended)
    redshift = Connection("redshift", "h", 5439, "db", SignIn(user="u"), Secrets("p"))
    spark: Any = None

    with pytest.raises(Refused) as refused:
        check_view(spark, Settings(), redshift, SHORT, "r1")

    [problem] = refused.value.problems
    assert problem.startswith("cannot ")
