import pytest

from loader.settings import Settings
from loader.storage.export_command import export_command
from loader.storage.location import DEFAULT, Location


@pytest.mark.parametrize(
    ("storage", "command"),
    [
        (".loader", "loader state unlock users 0a1b"),
        ("s3://bucket/p", "loader state unlock users 0a1b --storage s3://bucket/p"),
        ("my runs/", "loader state unlock users 0a1b --storage 'my runs'"),
    ],
)
def test_a_command_about_an_export_has_the_storage_of_its_folder(
    storage: str, command: str
) -> None:
    folder = Location(storage) / "users"

    assert export_command(folder, "state unlock", "0a1b") == command


def test_the_storage_that_a_command_leaves_out_is_the_default() -> None:
    assert Settings().storage == DEFAULT
