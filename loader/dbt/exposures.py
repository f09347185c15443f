"""dbt manifest → `Export`: the model to read, how to group its rows, the table to write.

An export is a dbt exposure with `config.meta.dynamodb`; see docs/exports.md for its form.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from loader.dbt.exposure_settings import (
    CollectSettings,
    ExposureSettings,
    Split,
    Truncate,
    read_exposure,
)
from loader.errors import Refused, subject_of
from loader.items.export import KEEP, OMIT, REJECT, Collect, Export, Relation
from loader.items.limits import KEY_NAME_CHARACTERS, NAME_BYTES
from loader.items.table_name import full_name

# The resources of dbt that are relations in the warehouse, besides models.
RELATIONS = ("seed", "snapshot", "source")
# dbt recommends letters, digits and _. The name is also that of a folder, and the value of a
# CloudWatch dimension, which must be ASCII:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
EXPORT_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")


def select_exports(
    manifest: Mapping[str, Any], names: Sequence[str], for_writing: bool = True
) -> list[Export]:
    """The named exports, or all of them; `Refused` has the problems of all of them.

    `for_writing`: no other export of the project may have the table of one of them.
    """
    exposures = {
        exposure["name"]: exposure
        for exposure in manifest.get("exposures", {}).values()
        if dynamodb_settings(exposure) is not None
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
    if for_writing:
        problems += shared_tables(exports, declared_tables(manifest))
    if problems:
        raise Refused(problems, subject_of(names or sorted(exposures), "the project"))
    return exports


def declared_tables(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The table of every export that the project enables, by the name of the export.

    A table that a role reaches is of the role's account.
    """
    declared = {
        exposure["name"]: dynamodb_settings(exposure)
        for exposure in manifest.get("exposures", {}).values()
    }
    return {
        name: full_name(settings["table"], settings.get("role_arn"))
        for name, settings in sorted(declared.items())
        if isinstance(settings, dict) and isinstance(settings.get("table"), str)
    }


def shared_tables(exports: Sequence[Export], declared: Mapping[str, str]) -> list[str]:
    """An export that is not loaded now destroys the items at another time."""
    writers: dict[str, list[str]] = {}
    for export in exports:
        writers.setdefault(full_name(export.table, export.role_arn), []).append(export.name)
    for name, table in declared.items():
        if table in writers and name not in writers[table]:
            writers[table].append(name)
    return [shared_table(table, names) for table, names in writers.items() if len(names) > 1]


def shared_table(table: str, names: Sequence[str]) -> str:
    return (
        f"table {table} must be written by one export, got {' and '.join(names)}: "
        "give each export a different table, or disable all but one"
    )


def dynamodb_settings(exposure: Mapping[str, Any]) -> dict[str, Any] | None:
    """`meta.dynamodb`; dbt 1.10 moved `meta` under `config`, older manifests have it at the top."""
    meta = (exposure.get("config") or {}).get("meta") or exposure.get("meta") or {}
    settings = meta.get("dynamodb") if isinstance(meta, dict) else None
    return settings if isinstance(settings, dict) else None


def published_nodes(exposure: Mapping[str, Any]) -> list[str]:
    """The ids of the models that an exposure depends on, or else of other relations.

    An export must have one. Other resources beside one model are its lineage.
    """
    nodes = [str(node) for node in exposure.get("depends_on", {}).get("nodes", ())]
    models = [node for node in nodes if node.startswith("model.")]
    return models or [node for node in nodes if node.split(".")[0] in RELATIONS]


def find_node(manifest: Mapping[str, Any], node: str) -> dict[str, Any] | None:
    found = {**manifest.get("nodes", {}), **manifest.get("sources", {})}.get(node)
    return found if isinstance(found, dict) else None


def _export(exposure: Mapping[str, Any], manifest: Mapping[str, Any]) -> Export:
    place, problems = f"export {exposure['name']}", list[str]()
    settings = read_exposure(dynamodb_settings(exposure), place, problems)
    nodes = published_nodes(exposure)
    node = find_node(manifest, nodes[0]) if len(nodes) == 1 else None
    oversize, attributes, nulls = settings.oversize, settings.attributes or (), settings.nulls
    truncate = oversize.truncate if isinstance(oversize, Truncate) else None
    null_policies = nulls if isinstance(nulls, dict) else dict.fromkeys(attributes, nulls)
    collects = settings.collect or {}
    export = Export(
        name=exposure["name"],
        model=node["name"] if node else "",
        relation=_relation(node) if node else Relation("", "", ""),
        table=settings.table,
        key=settings.key,
        partition_column=settings.partition_column,
        partitions=settings.partitions,
        collect=tuple(_collect(name, declared, truncate) for name, declared in collects.items()),
        order_by=next((declared.order_by or () for declared in collects.values()), ()),
        attributes=attributes,
        nulls=tuple((name, policy) for name, policy in null_policies.items() if policy != OMIT),
        truncate=truncate,
        split=oversize.split if isinstance(oversize, Split) else None,
        min_rows=settings.min_rows,
        max_deletes=settings.max_deletes,
        max_changes=settings.max_changes,
        write_capacity=settings.write_capacity,
        read_capacity=settings.read_capacity,
        reads_all=settings.read == "all",
        role_arn=settings.role_arn or "",
        external_id=settings.external_id or "",
    )
    broken = [*_broken_rules(export, settings), *_broken_names(export)]
    broken += _broken_node(exposure, nodes, node)
    problems += [f"{place}: {problem}" for problem in broken]
    if problems:
        raise Refused(problems, place)
    return export


def _relation(node: Mapping[str, Any]) -> Relation:
    """The relation of a node; adapters of databases without one (MariaDB, Spark) write null."""
    identifier = node.get("alias") or node.get("identifier") or node["name"]
    return Relation(node["database"] or "", node["schema"], identifier)


def _broken_node(
    exposure: Mapping[str, Any], nodes: Sequence[str], node: Mapping[str, Any] | None
) -> Iterator[str]:
    """What `depends_on` names must be one relation that dbt knows."""
    if len(nodes) != 1:
        named = nodes or exposure.get("depends_on", {}).get("nodes", ())
        yield (
            f"depends_on must be one model, seed, snapshot or source, "
            f"got {', '.join(named) or 'none'}: publish one model, and join the others in it"
        )
    elif node is None:
        yield f"depends_on must be a node of the manifest, got {nodes[0]}: run `dbt parse`"
    elif (node.get("config") or {}).get("materialized") == "ephemeral":
        yield (
            f"depends_on must be a view or a table, got the ephemeral model {node['name']}: "
            "materialize it as one of them"
        )


def _collect(attribute: str, settings: CollectSettings, truncate: str | None) -> Collect:
    return Collect(
        attribute,
        settings.column,
        settings.kind,
        bool(settings.distinct),
        settings.limit,
        settings.nulls or (KEEP if settings.kind == "list" else REJECT),
        (settings.dropped or f"{attribute}_dropped") if truncate else "",
    )


def _broken_rules(export: Export, settings: ExposureSettings) -> Iterator[str]:
    """Settings that contradict each other."""
    if not EXPORT_NAME.match(export.name):
        yield f"name must be ASCII letters, digits, _ -, got {export.name}: rename the exposure"
    if (export.truncate or export.split) and not export.collect:
        policy = f"truncate: {export.truncate}" if export.truncate else f"split: {export.split}"
        yield f"oversize must be reject if nothing is collected, got {policy}: remove it"
    if export.split and len(export.key) > 1:
        yield (
            "key must have one column if oversize splits items, "
            f"got {', '.join(export.key)}: remove the sort key"
        )
    if export.external_id and not export.role_arn:
        yield f"external_id must be used with role_arn, got {export.external_id}: remove it"
    if isinstance(settings.nulls, dict):
        for name in settings.nulls:
            if name not in export.attributes:
                yield f"nulls must name columns of attributes, got {name}: add it to attributes"
    collects = settings.collect or {}
    orders = [declared.order_by or () for declared in collects.values()]
    if len(set(orders)) > 1:
        listed = "; ".join(", ".join(map(str, order)) or "none" for order in orders)
        yield (
            f"order_by must be the same for all collected attributes, got {listed}: "
            "give all of them the same order"
        )
    for attribute, declared in collects.items():
        if declared.kind == "set" and declared.nulls == KEEP:
            yield (
                f"collect.{attribute}: nulls must be omit or reject in a set, got keep: "
                "choose one, or use as: list"
            )
        if declared.dropped and not export.truncate:
            yield (
                f"collect.{attribute}: dropped must be used with oversize: {{truncate: …}}, "
                f"got {declared.dropped}: remove it"
            )


def _broken_names(export: Export) -> Iterator[str]:
    """Names that exceed DynamoDB's limits, or that are used for two attributes."""
    for name in export.table_key:
        if len(name) > KEY_NAME_CHARACTERS:
            yield (
                f"a name in the key must be at most {KEY_NAME_CHARACTERS} characters, "
                f"got {name[:20]}… of {len(name)}: shorten it"
            )
    collected = [name for c in export.collect for name in (c.attribute, c.dropped) if name]
    for name in collected:
        if (size := len(name.encode())) > NAME_BYTES:
            yield (
                f"an attribute's name must be at most {NAME_BYTES} bytes, "
                f"got {name[:20]}… of {size}: shorten it"
            )
    names = [*export.table_key, export.split_count_attribute, *collected, *export.attributes]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        yield (
            f"key, collect and attributes must name each attribute once, got {name}: "
            "remove one of them"
        )
