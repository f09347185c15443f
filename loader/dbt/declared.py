"""What is declared of exports: in a bundle, or else in the dbt project on this machine."""

from collections.abc import Sequence

from loader.dbt.inputs import Inputs
from loader.dbt.installed import require_dbt
from loader.items.export import Export
from loader.settings import Settings


def declared_inputs(settings: Settings, names: Sequence[str]) -> Inputs:
    """The inputs of a run; its problems are in them, unless there is no bundle or no dbt."""
    if settings.bundle:
        from loader.dbt.bundle import bundle_inputs

        return bundle_inputs(settings, names)
    require_dbt()
    from loader.dbt.project import read_project

    return read_project(settings, names)


def declared_export(settings: Settings, name: str) -> Export:
    """One export, also if other exports write its table; raises `Refused`."""
    if settings.bundle:
        from loader.dbt.bundle import bundled_export

        return bundled_export(settings, name)
    require_dbt()
    from loader.dbt.project import project_export

    return project_export(settings, name)
