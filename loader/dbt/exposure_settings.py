"""The form of an exposure's `config.meta.dynamodb`: a pydantic model with one rule per setting.

docs/exports.md describes the settings; docs/exposure.schema.json is generated from this module.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)

from loader import capacity_setting as capacity
from loader.change_limit import RULE, ChangeLimit, change_limit
from loader.dbt import setting_schemas as schemas
from loader.items.export import MAX_DELETES, MIN_ROWS, Order
from loader.items.table_name import TABLE
from loader.role_names import EXTERNAL_ID, ROLE

# A column name, quoted as in SQL if it contains spaces, and an optional direction.
ORDER = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\s"]\S*))(?:\s+(asc|desc))?\s*\Z')


@dataclass(frozen=True)
class Rule:
    """The rule of a setting, and the remedy for a value that breaks it.

    `entry` is the rule of each entry, for a setting that may be a mapping.
    """

    must: str
    remedy: str = "set it"
    entry: "Rule | None" = None

    def message(self, place: str, setting: str, value: object) -> str:
        shown = "nothing" if value is None else value
        return f"{place}: {setting} must {self.must}, got {shown}: {self.remedy}"


def _whole_number(value: Any) -> Any:
    """dbt's Jinja leaves a number as a string of digits."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"\s*[0-9]+\s*", value) else value


def _names(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _order(term: Any) -> Order:
    match = ORDER.match(term) if isinstance(term, str) else None
    if not match:
        raise ValueError
    quoted, plain, direction = match.groups()
    return Order(plain or quoted.replace('""', '"'), direction == "desc")


Name = Annotated[str, StringConstraints(min_length=1)]
Columns = Annotated[tuple[Name, ...], BeforeValidator(_names), WithJsonSchema(schemas.COLUMNS)]
Key = Annotated[
    tuple[Name, ...],
    Field(min_length=1, max_length=2),
    BeforeValidator(_names),
    WithJsonSchema(schemas.KEY),
]
Orders = Annotated[
    tuple[Annotated[Order, BeforeValidator(_order)], ...],
    BeforeValidator(_names),
    WithJsonSchema(schemas.COLUMNS),
]
Positive = Annotated[
    StrictInt, Field(ge=1), BeforeValidator(_whole_number), WithJsonSchema(schemas.NUMBER)
]
Count = Annotated[
    StrictInt, Field(ge=0), BeforeValidator(_whole_number), WithJsonSchema(schemas.COUNT)
]
Limit = Annotated[ChangeLimit, BeforeValidator(change_limit), WithJsonSchema(schemas.LIMIT)]
Capacity = Annotated[
    capacity.CapacitySetting,
    BeforeValidator(capacity.capacity_setting),
    WithJsonSchema(schemas.CAPACITY),
]
Table = Annotated[str, StringConstraints(pattern=TABLE), WithJsonSchema(schemas.TABLE)]
RoleArn = Annotated[
    str, StringConstraints(pattern=f"^({ROLE})?$"), WithJsonSchema(schemas.empty_or(ROLE))
]
ExternalId = Annotated[
    str,
    StringConstraints(pattern=f"^({EXTERNAL_ID})?$"),
    WithJsonSchema(schemas.empty_or(EXTERNAL_ID)),
]
Nulls = Literal["omit", "keep", "reject"]

A_TABLE = Rule("be 3 to 255 letters, digits, _ . -, or an ARN of a table", "name a DynamoDB table")
A_COLUMN = Rule("be the name of a column")
POSITIVE = Rule("be a positive whole number")
COUNT = Rule("be 0 or a positive whole number")
LIMIT = Rule(RULE, "correct it")
CAPACITY = Rule(capacity.RULE, "correct it")
COLUMNS = Rule("be a column or a list of columns")
ORDER_BY = Rule(f"{COLUMNS.must}, each alone or with asc or desc", "correct it")
NULLS = Rule("be omit, keep or reject", "choose one")
NULLS_BY_NAME = Rule(f"{NULLS.must}, or map attributes to one of them", "choose one", NULLS)
OVERSIZE = Rule(
    "be reject, {truncate: first}, {truncate: last} or {split: <sort key>}", "choose one"
)
A_ROLE = Rule("be the ARN of an IAM role", "write arn:aws:iam::ACCOUNT:role/NAME")
AN_EXTERNAL_ID = Rule(
    "be 2 to 1224 letters, digits or _+=,.@:/-", "give that of the role's trust policy"
)
WAREHOUSE = Rule("be host:port", 'write "{{ target.host }}:{{ target.port }}"')


class Settings(BaseModel):
    """Assigning a field validates it, so that each setting is checked separately."""

    model_config = ConfigDict(
        extra="forbid", validate_assignment=True, use_attribute_docstrings=True
    )


class Truncate(Settings):
    """Keep the elements that fit, at one end of the order."""

    truncate: Literal["first", "last"]


class Split(Settings):
    """Continue the item in further items, numbered by this sort key."""

    split: Name


class CollectSettings(Settings):
    """An attribute made of many rows."""

    column: Annotated[Name, A_COLUMN]
    """The column whose values become the elements, one per row."""
    kind: Annotated[Literal["list", "set"], Rule("be list or set", "choose one")] = Field(
        "list", alias="as"
    )
    """A set holds text, numbers or binary, each value once."""
    order_by: Annotated[Orders | None, ORDER_BY] = None
    """Columns, each alone or with ` asc` or ` desc`; the same for all collected attributes."""
    distinct: Annotated[StrictBool | None, Rule("be true or false", "choose one")] = False
    """Keep the first of equal elements; a set always does."""
    limit: Annotated[Positive | None, POSITIVE] = None
    """Keep at most this many elements, after `distinct`."""
    nulls: Annotated[Nulls, NULLS] = Field(default_factory=lambda: cast(Any, None))
    """What a NULL becomes; the default is `keep` in a list, `reject` in a set."""
    dropped: Annotated[Name | None, Rule("be a name")] = None
    """Only with `truncate`: counts dropped elements; the default is `<attribute>_dropped`."""


class ExposureSettings(Settings):
    """The DynamoDB table that the rows of a dbt model are published to."""

    table: Annotated[Table, A_TABLE]
    """A name of 3 to 255 letters, digits, `_` `.` `-`, or an ARN. No other export writes it."""
    key: Annotated[Key, Rule("be one column or a list of one or two")]
    """The partition key, then the sort key; the table's key has the same names and types."""
    partition_column: Annotated[Name, A_COLUMN]
    """An integer column from 0 to `partitions` − 1, a function of the key alone."""
    partitions: Annotated[Positive, POSITIVE]
    """The number of partitions that the model was built with."""
    collect: Annotated[
        dict[str, CollectSettings] | None, Rule("map attributes to settings", "see docs/exports.md")
    ] = None
    """Attributes made of many rows, by name; without it, the model has one row per key."""
    attributes: Annotated[Columns | None, COLUMNS] = None
    """Columns that have one value for all rows of a key."""
    nulls: Annotated[Nulls | dict[str, Nulls], NULLS_BY_NAME] = "omit"
    """What a NULL of `attributes` becomes."""
    oversize: Annotated[Literal["reject"] | Truncate | Split, OVERSIZE] = "reject"
    """What happens to an item over DynamoDB's limit of 400 KB."""
    min_rows: Annotated[Count, COUNT] = MIN_ROWS
    """A run that reads fewer rows is refused."""
    max_deletes: Annotated[Limit, LIMIT] = Field(default_factory=lambda: MAX_DELETES)
    """A run that deletes more of the table's keys is refused; the default is `10%`."""
    max_changes: Annotated[Limit | None, LIMIT] = None
    """The same for keys that are changed or deleted; new keys do not count."""
    write_capacity: Annotated[Capacity, CAPACITY] = Field(default_factory=lambda: capacity.DEFAULT)
    """How fast a run may write to the table and its global indexes; the default is `50%`."""
    read_capacity: Annotated[Capacity, CAPACITY] = Field(default_factory=lambda: capacity.DEFAULT)
    """How fast `verify` and `state adopt` may read the table; the default is `50%`."""
    role_arn: Annotated[RoleArn | None, A_ROLE] = None
    """The IAM role that reaches the table, such as one of another account; empty for none."""
    external_id: Annotated[ExternalId | None, AN_EXTERNAL_ID] = None
    """The external id that the trust policy of the role asks for; it is not a secret."""
    read: Annotated[Literal["changed", "all"], Rule("be changed or all", "choose one")] = "changed"
    """`changed` leaves out the rows of keys whose rows are the same as in the last run."""
    warehouse: Annotated[Name | None, WAREHOUSE] = None
    """`"{{ target.host }}:{{ target.port }}"`: where dbt built; the loader must read from there."""


# Values for settings that break their rule, so that the others can be checked against each other.
NEUTRAL: dict[str, Any] = {
    "table": "",
    "key": (),
    "partition_column": "",
    "partitions": 0,
    "column": "",
}

S = TypeVar("S", bound=Settings)


def read_exposure(declared: Any, place: str, problems: list[str]) -> ExposureSettings:
    """The settings of an exposure, with `NEUTRAL` for broken ones; adds to `problems`."""
    collect = declared.get("collect") or {}
    shallow = {**declared, "collect": {}} if isinstance(collect, dict) else declared
    settings = _read(ExposureSettings, shallow, place, problems)
    collects: dict[str, CollectSettings] = {}
    for attribute, of_attribute in collect.items() if isinstance(collect, dict) else ():
        if isinstance(attribute, str) and attribute:
            inner = f"{place}: collect.{attribute}"
            collects[attribute] = _read(CollectSettings, of_attribute, inner, problems)
        else:
            rule = Rule("name each attribute in text", "put it in quotes")
            problems.append(rule.message(place, "collect", repr(attribute)))
    settings.collect = collects
    return settings


def _read(model: type[S], declared: Any, place: str, problems: list[str]) -> S:
    if not isinstance(declared, dict):
        rule = Rule("be a mapping", "see docs/exports.md")
        problems.append(rule.message(place, "settings", declared))
        declared = {}
    settings = model.model_construct(**NEUTRAL)
    fields = {field.alias or name: (name, field) for name, field in model.model_fields.items()}
    for unknown in sorted(map(str, declared.keys() - fields.keys())):
        rule = Rule(f"be one of {', '.join(sorted(fields))}", "correct its name")
        problems.append(rule.message(place, "settings", unknown))
    for setting, (name, field) in fields.items():
        if setting in declared or field.is_required():
            try:
                setattr(settings, name, declared.get(setting))
            except ValidationError as error:
                [rule] = [entry for entry in field.metadata if isinstance(entry, Rule)]
                value = declared.get(setting)
                problems += _entry_problems(rule, place, setting, value, error) or [
                    rule.message(place, setting, value)
                ]
    return settings


def _entry_problems(
    rule: Rule, place: str, setting: str, value: Any, error: ValidationError
) -> list[str]:
    """One problem per wrong entry of a mapping; empty if the setting itself is wrong."""
    if not rule.entry or not isinstance(value, dict):
        return []
    names = [problem["loc"][-1] for problem in error.errors()]
    return [
        rule.entry.message(place, f"{setting} of {name}", value[name])
        for name in names
        if name in value
    ]


def exposure_schema() -> dict[str, Any]:
    """The JSON Schema of a dbt file with exposures, for editors.

    `$defs` has the settings: `ExposureSettings`, and `CollectSettings` of each attribute.
    """
    settings = ExposureSettings.model_json_schema(ref_template="#/$defs/{model}")
    definitions = settings.pop("$defs")

    def holding(**properties: Any) -> dict[str, Any]:
        return {"type": "object", "properties": properties}

    meta = holding(dynamodb={"$ref": "#/$defs/ExposureSettings"})
    exposure = holding(config=holding(meta=meta), meta=meta)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dbt exposures that are published as DynamoDB tables",
        **holding(exposures={"type": "array", "items": exposure}),
        "$defs": {"ExposureSettings": settings, **definitions},
    }
