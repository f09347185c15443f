"""A dbt project, reduced to what the loader reads: an exposure, its model and a profile.

tests/support has the same project; the benchmarks do not import the tests.
"""

import json
from pathlib import Path

from benchmarks.data import PARTITIONS
from sandbox.settings import REPOSITORY

TABLE, EXPORT = "bench", "user_items"
PROFILES = REPOSITORY / "dbt_project" / "profiles.yml"


def write(folder: Path, relation: str, ordered: bool = False, partitions: int = PARTITIONS) -> Path:
    """Write a folder for --project-dir with one export that reads the relation.

    `ordered` collects the items of each user in the order of purchase, as dbt_project does.
    """
    schema, identifier = relation.split(".")
    items: dict[str, object] = {"column": "item_id"}
    if ordered:
        items["order_by"] = ["purchased_at", "line_number"]
    node = {"name": identifier, "alias": identifier, "schema": schema, "database": "dev"}
    exposure = {
        "name": EXPORT,
        "depends_on": {"nodes": ["model.bench.purchases"]},
        "config": {
            "meta": {
                "dynamodb": {
                    "table": TABLE,
                    "key": "user_id",
                    "partition_column": "partition_id",
                    "partitions": partitions,
                    "collect": {"items": items},
                }
            }
        },
    }
    manifest = {
        "metadata": {"invocation_id": "bench"},
        "nodes": {"model.bench.purchases": node},
        "exposures": {f"exposure.bench.{EXPORT}": exposure},
    }
    results = {
        "metadata": {"invocation_id": "bench"},
        "results": [{"unique_id": "model.bench.purchases", "status": "success"}],
    }
    (folder / "target").mkdir(parents=True)
    (folder / "target" / "run_results.json").write_text(json.dumps(results))
    (folder / "target" / "manifest.json").write_text(json.dumps(manifest))
    (folder / "dbt_project.yml").write_text("name: bench\nprofile: redshift_to_dynamodb\n")
    (folder / "profiles.yml").write_text(PROFILES.read_text())
    return folder
