"""show: items of a table, or planned changes of a run, as a person reads them."""

import argparse

from loader.errors import COMPLETE, INCOMPLETE, Refused
from loader.settings import Settings
from loader.verbs.given import settings_of
from loader.verbs.screen import print_lines


def show(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    # The name of an export has no slash.
    planned = "/" in options.name
    lines, missing = (_planned if planned else _items)(settings, options.name, options.key)
    print_lines(lines)
    return INCOMPLETE if missing else COMPLETE


def _items(settings: Settings, export: str, keys: list[str]) -> tuple[list[str], int]:
    from loader.dbt.declared import declared_export
    from loader.dynamodb.service import reached
    from loader.dynamodb.show import item_lines
    from loader.items.table_name import region_of

    selected = declared_export(settings, export)
    service = reached(settings, selected, region_of(selected.table), "loader-show")
    return item_lines(service.dynamodb, selected.table, keys)


def _planned(settings: Settings, name: str, keys: list[str]) -> tuple[list[str], int]:
    from loader.plan.result import load_plan
    from loader.report.planned_change import planned_lines
    from loader.storage.location import Location

    folder = Location(name)
    if problem := folder.plain_text_problem(settings.allow_plain_http):
        raise Refused(problem)
    return planned_lines(load_plan(folder), folder, keys)
