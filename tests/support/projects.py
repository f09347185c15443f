"""dbt projects, reduced to what the loader reads of them: the profile and the manifest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.manifests import exposure, manifest, results
from tests.support.repository import DBT_PROJECT

PROFILES = DBT_PROJECT / "profiles.yml"


@dataclass(frozen=True)
class Project:
    """A folder to give the loader as --project-dir."""

    folder: Path

    @property
    def arguments(self) -> list[str]:
        return ["--project-dir", str(self.folder)]

    @property
    def storage(self) -> list[str]:
        return ["--storage", str(self.folder / "runs")]


def project(
    folder: Path, exports: dict[str, dict[str, Any]], relation: str, profiles: str = ""
) -> Project:
    """Write a project whose exports read one relation, `schema.identifier` in the database dev."""
    schema, identifier = relation.split(".", 1)
    node = {"name": identifier, "alias": identifier, "schema": schema, "database": "dev"}
    exposures = [exposure(name, settings) for name, settings in exports.items()]
    (folder / "target").mkdir(parents=True)
    (folder / "target" / "manifest.json").write_text(json.dumps(manifest(*exposures, node=node)))
    (folder / "target" / "run_results.json").write_text(json.dumps(results()))
    (folder / "dbt_project.yml").write_text("name: test\nprofile: redshift_to_dynamodb\n")
    (folder / "profiles.yml").write_text(profiles or PROFILES.read_text())
    return Project(folder)


def export(table: str, **changes: Any) -> dict[str, Any]:
    """The settings of user_items for another table, with changes; None removes a setting."""
    settings = {
        "table": table,
        "key": "user_id",
        "partition_column": "partition_id",
        "partitions": 30,
        "collect": {
            "items": {"column": "item_id", "order_by": ["purchased_at", "line_number"]},
        },
        **changes,
    }
    return {name: value for name, value in settings.items() if value is not None}
