"""Types of the fields of report.json, with a description that pydantic puts into the JSON Schema.

A load needs no pydantic for them: pydantic calls the hook of `Keywords` when it makes a schema
(https://docs.pydantic.dev/latest/concepts/json_schema/#implementing-__get_pydantic_json_schema__).
"""

from collections.abc import Callable
from typing import Annotated, Any


class Keywords:
    """JSON Schema keywords of an annotated type."""

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords

    def __get_pydantic_json_schema__(
        self, core_schema: Any, handler: Callable[[Any], dict[str, Any]]
    ) -> dict[str, Any]:
        return {**handler(core_schema), **self.keywords}


def doc(description: str) -> Keywords:
    """The description of a field, for `Annotated`."""
    return Keywords(description=description)


Count = Annotated[int, Keywords(minimum=0)]
Amount = Annotated[float, Keywords(minimum=0)]
