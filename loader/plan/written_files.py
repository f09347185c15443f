"""Whether the driver sees what executors have written."""

from loader.errors import PlanFailed
from loader.plan.result import Plan
from loader.storage.changeset import CHANGES
from loader.storage.location import Location


def require_files(folder: Location, plan: Plan) -> None:
    """Raise `PlanFailed` if a part of the changeset is not here: an executor that has joined after
    the check of the storage may not share it."""
    if folder.is_s3:
        return
    changes = folder / CHANGES
    missing = [part.file for part in plan.parts if not changes.exists(part.file)]
    if missing:
        raise PlanFailed(
            f"cannot find {changes / missing[0]}, which an executor has written for export "
            f"{plan.export}: it does not share the storage. Nothing was written: remove {folder} "
            "on the other machines, which has rows of the export, and choose another --storage"
        )
