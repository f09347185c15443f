"""dbt manifest → `Export`: what to read, how to group it, where to write it.

An export is a dbt exposure with `config.meta.dynamodb`; see docs/exports.md for its form.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from loader.errors import Refused
from loader.items.export import ENDS, KEEP, NULLS, OMIT, REJECT, Collect, Export, Order, Relation
from loader.items.limits import KEY_NAME_CHARACTERS, NAME_BYTES

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
TABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{3,255}\Z")

# What dbt itself allows; an export's name is a folder's name too.
EXPORT_NAME = re.compile(r"[\w-]+\Z")

# A column as it is, or quoted as in SQL where it has blanks; then perhaps a direction.
ORDER = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\s"]\S*))(?:\s+(asc|desc))?\s*\Z')

COLLECT_KINDS = ("list", "set")

SETTINGS = frozenset(
    {
        "table",
        "key",
        "partition_column",
        "partitions",
        "collect",
        "attributes",
        "nulls",
        "oversize",
    }
)

COLLECT_SETTINGS = frozenset({"column", "as", "order_by", "distinct", "limit", "nulls", "dropped"})

OVERSIZE = "reject, {truncate: first}, {truncate: last} or {split: <sort key>}"


def select_exports(manifest: Mapping[str, Any], names: Sequence[str]) -> list[Export]:
    """The exports named, or all of them; every problem of every one of them is raised at once."""
    exposures = {
        exposure["name"]: exposure
        for exposure in manifest.get("exposures", {}).values()
        if isinstance(_meta(exposure).get("dynamodb"), dict)
    }
    known = ", ".join(sorted(exposures)) or "none"
    problems = [
        f"export must be an exposure with config.meta.dynamodb, got {name}: the exports are {known}"
        for name in dict.fromkeys(names)
        if name not in exposures
    ]
    if not names and not exposures:
        problems.append(
            "the dbt project must declare an export, got no exposure with config.meta.dynamodb: "
            "add one (docs/exports.md)"
        )
    exports = []
    for name in dict.fromkeys(names) if names else sorted(exposures):
        if name in exposures:
            try:
                exports.append(_export(exposures[name], manifest))
            except Refused as refused:
                problems += refused.problems
    problems += _shared_tables(exports)
    if problems:
        raise Refused(problems, subject=_subject(names or sorted(exposures)))
    return exports


def _subject(names: Sequence[str]) -> str:
    return f"export{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else "the project"


def _shared_tables(exports: Sequence[Export]) -> list[str]:
    writers: dict[str, list[str]] = {}
    for export in exports:
        writers.setdefault(export.table, []).append(export.name)
    return [
        f"table {table} must be written by one export, got {' and '.join(names)}: "
        "give each a table of its own"
        for table, names in writers.items()
        if len(names) > 1
    ]


def _meta(exposure: Mapping[str, Any]) -> dict[str, Any]:
    """dbt 1.10 moved `meta` under `config`; older manifests have it at the top."""
    meta = (exposure.get("config") or {}).get("meta") or exposure.get("meta") or {}
    return meta if isinstance(meta, dict) else {}


def _export(exposure: Mapping[str, Any], manifest: Mapping[str, Any]) -> Export:
    """Turn one exposure into an `Export`; collects all its problems before it raises."""
    name, settings = exposure["name"], _meta(exposure)["dynamodb"]
    reader = _Settings(f"export {name}", settings)
    reader.known(SETTINGS)
    if not EXPORT_NAME.match(name):
        reader.problem("name must be letters, digits, _ -", name, "rename the exposure")
    table = reader.text("table")
    if table and not TABLE_NAME.match(table):
        reader.problem(
            "table must be 3 to 255 letters, digits, _ . -", table, "name a DynamoDB table"
        )
    key = reader.columns("key", required=True)
    if len(key) > 2:
        reader.problem("key must have one or two columns", settings["key"], "name at most two")
    truncate, split = _oversize(reader)
    collect, order_by = _collects(name, reader, truncate)
    attributes = reader.columns("attributes")
    export = Export(
        name=name,
        model="",
        relation=Relation("", "", ""),
        table=table,
        key=key,
        partition_column=reader.text("partition_column"),
        partitions=reader.positive("partitions", required=True) or 0,
        collect=collect,
        order_by=order_by,
        attributes=attributes,
        nulls=_nulls(attributes, reader),
        truncate=truncate,
        split=split,
    )
    _fits(export, reader)
    _one_source_per_attribute(export, reader)
    node = _model(exposure, manifest, reader)
    if reader.problems or node is None:
        raise Refused(reader.problems, subject=f"export {name}")
    relation = Relation(node["database"], node["schema"], node.get("alias") or node["name"])
    return Export(**{**vars(export), "model": node["name"], "relation": relation})


def _oversize(reader: "_Settings") -> tuple[str | None, str | None]:
    """Which end is kept of an item that is too large, or the sort key that it is split by."""
    declared = reader.settings.get("oversize", REJECT)
    if declared == REJECT:
        return None, None
    if isinstance(declared, dict) and len(declared) == 1:
        [(policy, value)] = declared.items()
        if policy == "truncate" and value in ENDS:
            return str(value), None
        if policy == "split" and isinstance(value, str) and value:
            return None, value
    reader.problem(f"oversize must be {OVERSIZE}", declared, "choose one")
    return None, None


def _fits(export: Export, reader: "_Settings") -> None:
    """Names within DynamoDB's limits, and an oversize that there are lists for."""
    policy = export.truncate or export.split
    if policy and not export.collect:
        reader.problem(
            "oversize must be reject where nothing is collected",
            f"truncate: {policy}" if export.truncate else f"split: {policy}",
            "drop it",
        )
    if export.split and len(export.key) > 1:
        reader.problem(
            "key must have one column where oversize splits: the number is the sort key",
            ", ".join(export.key),
            "drop the sort key",
        )
    for name in export.table_key:
        if len(name) > KEY_NAME_CHARACTERS:
            reader.problem(
                f"a name in the key must be at most {KEY_NAME_CHARACTERS} characters",
                _shortened(name, len(name)),
                "shorten it",
            )
    for name in (c for one in export.collect for c in (one.attribute, one.dropped)):
        if (size := len(name.encode())) > NAME_BYTES:
            reader.problem(
                f"an attribute's name must be at most {NAME_BYTES} bytes",
                _shortened(name, size),
                "shorten it",
            )


def _shortened(name: str, length: int) -> str:
    return f"{name[:20]}… of {length}"


def _nulls(attributes: Sequence[str], reader: "_Settings") -> tuple[tuple[str, str], ...]:
    """The attributes of which a NULL is kept or rejected; one word stands for all of them."""
    declared = reader.settings.get("nulls", OMIT)
    if not isinstance(declared, dict):
        policy = reader.one_of("nulls", OMIT, NULLS)
        declared = dict.fromkeys(attributes, policy)
    for name, policy in declared.items():
        if name not in attributes:
            reader.problem("nulls must name attributes", name, "name it in attributes")
        if policy not in NULLS:
            reader.problem(f"nulls of {name} must be {_or(NULLS)}", policy, "choose one")
    return tuple((name, policy) for name, policy in declared.items() if policy != OMIT)


def _collects(
    name: str, reader: "_Settings", truncate: str | None
) -> tuple[tuple[Collect, ...], tuple[Order, ...]]:
    declared = reader.settings.get("collect") or {}
    if not isinstance(declared, dict):
        reader.problem("collect must map attributes to settings", declared, "see docs/exports.md")
        return (), ()
    collects, orders = [], []
    for attribute, settings in declared.items():
        if not isinstance(attribute, str) or not attribute:
            reader.problem(
                "collect must name each attribute in text", repr(attribute), "put it in quotes"
            )
            continue
        one = _Settings(f"export {name}: collect.{attribute}", settings, reader.problems)
        collects.append(_collect(attribute, one, truncate))
        orders.append(tuple(one.order("order_by")))
    if len(set(orders)) > 1:
        reader.problem(
            "order_by must be the same for all collected attributes",
            "; ".join(", ".join(map(str, order)) or "none" for order in orders),
            "rows are read in one order",
        )
    return tuple(collects), orders[0] if orders else ()


def _collect(attribute: str, one: "_Settings", truncate: str | None) -> Collect:
    one.known(COLLECT_SETTINGS)
    kind = one.one_of("as", "list", COLLECT_KINDS)
    distinct = one.settings.get("distinct") or False
    if not isinstance(distinct, bool):
        one.problem("distinct must be true or false", distinct, "choose one")
    column, limit = one.text("column"), one.positive("limit")
    nulls = one.one_of("nulls", KEEP if kind == "list" else REJECT, NULLS)
    if kind == "set" and nulls == KEEP:
        one.problem("nulls must be omit or reject in a set", nulls, "DynamoDB has no NULL in it")
    if "dropped" in one.settings and not truncate:
        one.problem(
            "dropped must stand with oversize: {truncate: …}", one.settings["dropped"], "drop it"
        )
    dropped = one.text("dropped", f"{attribute}_dropped") if truncate else ""
    return Collect(attribute, column, kind, bool(distinct), limit, nulls, dropped)


def _one_source_per_attribute(export: Export, reader: "_Settings") -> None:
    names = [
        *export.table_key,
        *([export.split_count_attribute] if export.split_count_attribute else []),
        *(name for c in export.collect for name in (c.attribute, c.dropped) if name),
        *export.attributes,
    ]
    for twice in sorted({n for n in names if names.count(n) > 1}):
        reader.problem(
            "key, collect and attributes must name each attribute once", twice, "drop one of them"
        )


def _model(
    exposure: Mapping[str, Any], manifest: Mapping[str, Any], reader: "_Settings"
) -> dict[str, Any] | None:
    ids = [i for i in exposure.get("depends_on", {}).get("nodes", ()) if i.startswith("model.")]
    if len(ids) != 1:
        reader.problem(
            "depends_on must be one model",
            ", ".join(ids) or "none",
            "join what is published in one model",
        )
        return None
    node: dict[str, Any] | None = manifest.get("nodes", {}).get(ids[0])
    if node is None:
        reader.problem("depends_on must be a model of the manifest", ids[0], "run `dbt parse`")
    return node


def _or(choices: Sequence[str]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


class _Settings:
    """Reads one mapping of an exposure and collects what is wrong with it."""

    def __init__(self, place: str, settings: Any, problems: list[str] | None = None) -> None:
        self.place = place
        self.problems = [] if problems is None else problems
        if not isinstance(settings, dict):
            self.problem("settings must be a mapping", settings, "see docs/exports.md")
            settings = {}
        self.settings: dict[str, Any] = settings

    def problem(self, rule: str, value: object, remedy: str) -> None:
        self.problems.append(f"{self.place}: {rule}, got {value}: {remedy}")

    def known(self, names: frozenset[str]) -> None:
        for name in sorted(set(self.settings) - names):
            self.problem(f"settings must be of {', '.join(sorted(names))}", name, "mend its name")

    def text(self, name: str, default: str | None = None) -> str:
        value = self.settings.get(name, default)
        if not isinstance(value, str) or not value:
            self.problem(f"{name} must be a name", value, "set it")
            return ""
        return value

    def one_of(self, name: str, default: str, choices: Sequence[str]) -> str:
        value = self.settings.get(name, default)
        if not isinstance(value, str) or value not in choices:
            self.problem(f"{name} must be {_or(choices)}", value, "choose one")
            return default
        return value

    def columns(self, name: str, required: bool = False) -> tuple[str, ...]:
        value = self.settings.get(name)
        names = [value] if isinstance(value, str) else value or []
        if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names):
            self.problem(f"{name} must be a column or a list of columns", value, "set it")
            return ()
        if required and not names:
            self.problem(f"{name} must name a column", value, "set it")
        return tuple(names)

    def positive(self, name: str, required: bool = False) -> int | None:
        """A positive whole number; a string of digits too, which is what dbt's Jinja leaves."""
        value = self.settings.get(name)
        if value is None and not required:
            return None
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value.strip()):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            self.problem(f"{name} must be a positive whole number", value, "set it")
            return None
        return value

    def order(self, name: str) -> list[Order]:
        orders = []
        for term in self.columns(name):
            found = ORDER.match(term)
            if not found:
                self.problem(f"{name} must be columns, each with asc or desc", term, "mend it")
            else:
                quoted, plain, direction = found.groups()
                column = plain or quoted.replace('""', '"')
                orders.append(Order(column, direction == "desc"))
        return orders
