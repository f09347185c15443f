"""The world of a recipe: a model in the warehouse, a table, a bundle, and files on S3."""

# ruff: noqa: S608  the names of relations in the SQL are constants of this file

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from loader import cli
from sandbox import Sandbox
from tests.cluster.forwarding import Forward
from tests.support.projects import export, project
from tests.support.sandboxes import execute, reader
from tests.support.tables import create_table, items_of_users

# Those of the recipes.
BUCKET, NAME, REGION = "example-bucket", "user_items", "eu-west-1"
USERS, ROWS, PARTITIONS = 800, 2, 8
RELATION = f"analytics.{NAME}"

Items = dict[str, list[str]]


@dataclass
class World:
    """The servers of a sandbox, at the addresses at which a driver and its executors reach them."""

    # What a role would be, on driver and executors.
    credentials: ClassVar = {"AWS_ACCESS_KEY_ID": "role", "AWS_SECRET_ACCESS_KEY": "role"}

    sandbox: Sandbox
    folder: Path
    warehouse: Forward
    aws: Forward
    clients: dict[str, Any] = field(default_factory=dict)

    @property
    def driver_variables(self) -> dict[str, str]:
        """The emulator's endpoints, and the login: on AWS there are no endpoints to be named, and
        the bundle names a secret."""
        endpoints = {f"AWS_ENDPOINT_URL_{name}": self.aws.url for name in ("DYNAMODB", "S3")}
        login = {n: v for n, v in self.sandbox.env().items() if n.startswith("REDSHIFT_")}
        place = {"REDSHIFT_HOST": self.warehouse.address, "REDSHIFT_PORT": str(self.warehouse.port)}
        return self.credentials | endpoints | login | place

    def prepare(self) -> None:
        """Make the model, the table, and the bundle, on S3."""
        for service in ("dynamodb", "s3"):
            self.clients[service] = reader(self.sandbox, service, REGION)
        self.clients["s3"].create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        create_table(self.clients["dynamodb"], NAME)
        execute(
            self.sandbox,
            "create schema if not exists analytics; "
            f"create table {RELATION} as select 'u' || u as user_id, "
            f"u % {PARTITIONS} as partition_id, n as line_number, md5(u || '-' || n) as item_id "
            f"from generate_series(1, {USERS}) as u, generate_series(1, {ROWS}) as n",
        )
        settings = export(
            NAME,
            partitions=PARTITIONS,
            collect={"items": {"column": "item_id", "order_by": ["line_number"]}},
        )
        made = project(self.folder / "project", {NAME: settings}, RELATION)
        address = f"s3://{BUCKET}/bundles/{NAME}.json"
        self.run(["bundle", *made.arguments, "--export", NAME, "-o", address])

    def run(self, command: Sequence[str]) -> None:
        """Run a command of the loader on this machine, as a user who deploys."""
        out, err = io.StringIO(), io.StringIO()
        # Not to the region or the warehouse that the caller's variables name.
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "REDSHIFT_"))}
        variables = {**kept, **self.driver_variables, "AWS_REGION": REGION}
        with (
            patch.dict(os.environ, variables, clear=True),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = cli.main([*command, "--allow-plain-http"])
        assert code == 0, f"{command}: {out.getvalue()}{err.getvalue()}"

    def change_model(self) -> None:
        """Change every ninth user, and remove every twentieth."""
        execute(
            self.sandbox,
            f"update {RELATION} set item_id = md5(item_id) where abs(hashtext(user_id)) % 9 = 1; "
            f"delete from {RELATION} where abs(hashtext(user_id)) % 20 = 0",
        )

    def model(self) -> Items:
        rows = execute(
            self.sandbox,
            f"select user_id, array_agg(item_id order by line_number) from {RELATION} group by 1",
        )
        return dict(rows)

    def items(self) -> Items:
        return items_of_users(self.clients["dynamodb"], NAME)

    def clear(self) -> None:
        """Remove what a recipe leaves, for the next one."""
        execute(self.sandbox, f"drop table if exists {RELATION}")
        self.clients["dynamodb"].delete_table(TableName=NAME)
        bucket = self.clients["s3"].get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        for page in bucket:
            for entry in page.get("Contents", []):
                self.clients["s3"].delete_object(Bucket=BUCKET, Key=entry["Key"])
        self.clients["s3"].delete_bucket(Bucket=BUCKET)
