"""A dbt project reduced to what the loader reads of one: an exposure, its model, a profile."""

import json
from pathlib import Path

from benchmarks.data import PARTITIONS
from sandbox.settings import REPOSITORY

TABLE = "bench"
PROFILES = REPOSITORY / "dbt_project" / "profiles.yml"


def write(folder: Path, relation: str, ordered: bool = False) -> Path:
    """A folder for --project-dir whose one export, `user_items`, reads the relation.

    `ordered` asks for each user's items in the order of purchase, as our own dbt project does.
    """
    schema, identifier = relation.split(".")
    items: dict[str, object] = {"column": "item_id"}
    if ordered:
        items["order_by"] = ["purchased_at", "line_number"]
    node = {"name": identifier, "alias": identifier, "schema": schema, "database": "dev"}
    exposure = {
        "name": "user_items",
        "depends_on": {"nodes": ["model.bench.one"]},
        "config": {
            "meta": {
                "dynamodb": {
                    "table": TABLE,
                    "key": "user_id",
                    "partition_column": "partition_id",
                    "partitions": PARTITIONS,
                    "collect": {"items": items},
                }
            }
        },
    }
    manifest = {
        "nodes": {"model.bench.one": node},
        "exposures": {"exposure.bench.user_items": exposure},
    }
    (folder / "target").mkdir(parents=True)
    (folder / "target" / "manifest.json").write_text(json.dumps(manifest))
    (folder / "dbt_project.yml").write_text("name: bench\nprofile: redshift_to_dynamodb\n")
    (folder / "profiles.yml").write_text(PROFILES.read_text())
    return folder
