import json
from typing import Any

import jsonschema
import pytest

from loader.dbt.exposure_settings import exposure_schema
from tests.support.exports import GOOD, collecting, without
from tests.support.repository import REPOSITORY

SCHEMA = REPOSITORY / "docs" / "exposure.schema.json"


def accepts(settings: dict[str, Any]) -> bool:
    """Whether an editor accepts the settings in a dbt file."""
    exposure = {"name": "user_items", "config": {"meta": {"dynamodb": settings}}}
    document = {"version": 2, "exposures": [exposure, {"name": "dashboard"}]}
    return jsonschema.Draft202012Validator(exposure_schema()).is_valid(document)


def test_the_published_schema_is_the_one_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == exposure_schema()


@pytest.mark.parametrize(
    "settings",
    [
        GOOD,
        {**GOOD, "partitions": "30", "table": "{{ env_var('TABLE') }}"},
        {**collecting(limit="{{ var('limit') }}"), "partitions": "{{ var('partitions') }}"},
        {**GOOD, "key": ["user_id", "country"], "attributes": "name", "nulls": {"name": "keep"}},
        {**collecting(**{"as": "set", "nulls": "omit"}), "oversize": {"split": "part"}},
    ],
)
def test_the_schema_accepts_good_settings_before_dbt_renders_them(settings: dict[str, Any]) -> None:
    assert accepts(settings)


@pytest.mark.parametrize(
    "settings",
    [
        without("key"),
        {**GOOD, "partitions": 0},
        {**GOOD, "partition_colum": "p"},
        {**GOOD, "table": "a b"},
        {**GOOD, "key": ["a", "b", "c"]},
        {**GOOD, "nulls": {"name": "drop"}},
        {**GOOD, "oversize": {"truncate": "middle"}},
        collecting(**{"as": "map"}),
        collecting(sort="day"),
    ],
)
def test_the_schema_refuses_settings_that_the_loader_refuses(settings: dict[str, Any]) -> None:
    assert not accepts(settings)
