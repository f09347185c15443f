"""The table of an export, for commands that do not read the warehouse."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loader.checks import export_folder
from loader.dbt.declared import declared_export
from loader.dynamodb.description import TableDescription
from loader.dynamodb.endpoint import Endpoint
from loader.dynamodb.identity import TableIdentity, identity
from loader.dynamodb.service import reached
from loader.dynamodb.table import describe
from loader.dynamodb.table_rules import missing_table
from loader.errors import Refused, subject_of
from loader.items.export import Export
from loader.items.table_name import region_of
from loader.settings import Settings
from loader.spark.problems import start_problems
from loader.storage.location import Location

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class ExportedTable:
    """A table that exists and has the key of its export; `folder` is the export's."""

    export: Export
    folder: Location
    dynamodb: "DynamoDBClient"
    endpoint: Endpoint
    description: TableDescription

    @property
    def identity(self) -> TableIdentity:
        return identity(self.endpoint, self.description)


def exported_table(settings: Settings, name: str, run: str) -> ExportedTable:
    """The table of the export, for the run with this id.

    Raises `Refused` with all problems, also those of Spark's start.
    """
    storage = Location(settings.storage)
    problems = start_problems(settings.spark, (), storage)
    problems += filter(None, [storage.plain_text_problem(settings.allow_plain_http)])
    try:
        export = declared_export(settings, name)
        service = reached(settings, export, region_of(export.table), run)
        description = _described(service.dynamodb, export)
    except Refused as refused:
        problems += refused.problems
    if problems:
        raise Refused(problems, subject_of([name]))
    address, folder = service.endpoint(export.table), export_folder(settings, name)
    return ExportedTable(export, folder, service.dynamodb, address, description)


def _described(dynamodb: "DynamoDBClient", export: Export) -> TableDescription:
    description = describe(dynamodb, export.table)
    if description is None:
        raise Refused(missing_table(export.table))
    key = tuple(attribute for attribute, _ in description.key)
    if key != export.table_key:
        raise Refused(
            f"table {export.table} must have the key {', '.join(export.table_key)}, "
            f"got {', '.join(key)}: name it in the exposure's key, or create another table"
        )
    return description
