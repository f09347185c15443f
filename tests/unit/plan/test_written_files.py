from pathlib import Path

import pytest

from loader.errors import PlanFailed
from loader.plan.written_files import require_files
from loader.storage.location import Location
from tests.support.example_plan import partition, planned


def test_a_part_that_an_executor_wrote_elsewhere_fails_the_plan_and_names_the_folder_with_the_rows(
    tmp_path: Path,
) -> None:
    folder, plan = Location(f"{tmp_path}/run"), planned(partition(1, 5), partition(2, 0))
    with pytest.raises(PlanFailed) as failed:
        require_files(folder, plan)

    assert str(failed.value) == (
        f"cannot find {folder}/changes/00001-0.arrow, which an executor has written for export "
        "user_items: it does not share the storage. Nothing was written: remove "
        f"{folder} on the other machines, which has rows of the export, and choose another "
        "--storage"
    )
    (folder / "changes").write("00001-0.arrow", b"")
    require_files(folder, plan)
    require_files(Location("s3://bucket/run"), planned(partition(1, 5)))
