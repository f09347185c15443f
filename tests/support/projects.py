"""A dbt project reduced to what the loader reads of one: its profile and its manifest."""

# ruff: noqa: S608  the names of relations in the SQL are constants of the tests

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import Sandbox

PROFILES = Path(__file__).parents[2] / "dbt_project" / "profiles.yml"


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
    """A project whose exports all read one relation, `schema.identifier` in the database dev."""
    schema, identifier = relation.split(".", 1)
    node = {"name": identifier, "alias": identifier, "schema": schema, "database": "dev"}
    manifest = {
        "nodes": {"model.test.one": node},
        "exposures": {
            f"exposure.test.{name}": {
                "name": name,
                "depends_on": {"nodes": ["model.test.one"]},
                "config": {"meta": {"dynamodb": settings}},
            }
            for name, settings in exports.items()
        },
    }
    (folder / "target").mkdir(parents=True)
    (folder / "target" / "manifest.json").write_text(json.dumps(manifest))
    (folder / "dbt_project.yml").write_text("name: test\nprofile: redshift_to_dynamodb\n")
    (folder / "profiles.yml").write_text(profiles or PROFILES.read_text())
    return Project(folder)


def export(table: str, **changes: Any) -> dict[str, Any]:
    """The settings of user_items, for another table, with changes; None takes one away."""
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


def sixty_rows(sandbox: Sandbox, relation: str) -> None:
    """A table anew, with what `export` reads: 60 rows of 6 users in partitions 0 to 5."""
    with sandbox.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            f"""
            create schema if not exists analytics;
            drop table if exists {relation};
            create table {relation} as
            select 'u' || n % 6 as user_id, n % 6 as partition_id, 'i' || n as item_id,
                n as line_number, now()::timestamp as purchased_at
            from generate_series(1, 60) as n
            """
        )
    connection.close()
