from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from loader.dynamodb.description import Index, TableDescription
from loader.dynamodb.identity import TableIdentity
from loader.errors import Outdated, Refused
from loader.plan import tables
from loader.plan.tables import ready_table
from loader.settings import Settings
from tests.support.example_plan import planned

TABLE = TableDescription("items", (("id", "S"),), "ACTIVE", on_demand=True)
BY_DAY = replace(TABLE, indexes=(Index("by_day", True, (("day", "S"),), "ALL"),))


@pytest.mark.parametrize(("table", "kind"), [(TABLE, Refused), (BY_DAY, Outdated)])
def test_only_a_new_plan_helps_if_the_table_has_a_new_index(
    monkeypatch: pytest.MonkeyPatch, table: TableDescription, kind: type[Refused]
) -> None:
    def ready(*arguments: Any) -> None:
        rules = arguments[4]
        raise Refused(["its key is another one", *rules(table)])

    monkeypatch.setattr(tables, "ready", ready)
    unused: Any = SimpleNamespace(dynamodb=None, role=None)
    plan = planned()
    plan.identity = TableIdentity("items", "eu-west-1", "http://127.0.0.1:1")
    plan.described, plan.attribute_types = TABLE, {"day": "S"}

    with pytest.raises(Refused) as refused:
        ready_table(Settings(), unused, plan, unused)

    assert type(refused.value) is kind
    assert refused.value.problems[0] == "its key is another one"
