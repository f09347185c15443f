"""dbt manifests, reduced to what the loader reads of them."""

from collections.abc import Mapping, Sequence
from typing import Any

MODEL = "model.shop.stg_shop__orders"
ORDERS = {"database": "dev", "schema": "public", "name": "stg_shop__orders", "alias": None}


def exposure(name: str, settings: Any, nodes: Sequence[str] = (MODEL,)) -> dict[str, Any]:
    """An exposure with these settings under `config.meta.dynamodb`."""
    meta = {"dynamodb": settings}
    return {"name": name, "config": {"meta": meta}, "depends_on": {"nodes": list(nodes)}}


def manifest(*exposures: Mapping[str, Any], node: Mapping[str, Any] = ORDERS) -> dict[str, Any]:
    """The manifest of a project with one model, `node`."""
    return {
        "exposures": {f"exposure.shop.{exposure['name']}": exposure for exposure in exposures},
        "nodes": {MODEL: node},
    }
