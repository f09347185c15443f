"""The templates of deploy/cloudformation."""

from __future__ import annotations

from typing import Any

import yaml

from tests.support.repository import REPOSITORY

TEMPLATES = REPOSITORY / "deploy" / "cloudformation"
NAMES = sorted(path.name for path in TEMPLATES.glob("*.yaml"))


class Tagged(yaml.SafeLoader):
    """Reads !Ref, !Sub and so on as mappings from the tag to the value."""


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Tagged.add_multi_constructor("!", _tagged)


def template(name: str) -> dict[str, Any]:
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.load(text, Tagged)  # noqa: S506 (a SafeLoader)
    return document
