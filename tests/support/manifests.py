"""dbt manifests, reduced to what the loader reads of them."""

from collections.abc import Mapping, Sequence
from typing import Any

INVOCATION = "one"
MODEL = "model.shop.stg_shop__orders"
ORDERS = {"database": "dev", "schema": "public", "name": "stg_shop__orders", "alias": None}


def exposure(name: str, settings: Any, nodes: Sequence[str] = (MODEL,)) -> dict[str, Any]:
    """An exposure with these settings under `config.meta.dynamodb`."""
    meta = {"dynamodb": settings}
    return {"name": name, "config": {"meta": meta}, "depends_on": {"nodes": list(nodes)}}


def manifest(*exposures: Mapping[str, Any], node: Mapping[str, Any] = ORDERS) -> dict[str, Any]:
    """The manifest of a project with one model, `node`."""
    return {
        "metadata": {"invocation_id": INVOCATION},
        "exposures": {f"exposure.shop.{exposure['name']}": exposure for exposure in exposures},
        "nodes": {MODEL: node},
    }


def results(node: str = MODEL, **arguments: Any) -> dict[str, Any]:
    """The results of a dbt command that built one node, with the command's arguments."""
    return {
        "metadata": {"invocation_id": INVOCATION, "generated_at": "2026-11-24T22:22:58.6Z"},
        "args": {"which": "build", **arguments},
        "results": [{"unique_id": node, "status": "success"}],
    }
