"""The latest apply of a changeset owns it."""

import os
import re
import socket
from pathlib import Path

import pytest

from loader.apply import ownership
from loader.apply.task import ApplyTask
from loader.dynamodb.endpoint import Endpoint
from loader.storage.changeset import Slice
from loader.storage.location import Location
from loader.storage.rejects import Rejects


def test_the_apply_that_took_a_changeset_last_owns_it(tmp_path: Path) -> None:
    folder = Location(str(tmp_path))
    ownership.take(folder, "first")
    alone = ownership.other_owner(folder, "first")
    ownership.take(folder, "second")

    assert (alone, ownership.other_owner(folder, "second")) == (None, None)
    assert re.fullmatch(
        rf"process {os.getpid()} on {re.escape(socket.gethostname())}, began \S+Z",
        str(ownership.other_owner(folder, "first")),
    )


def test_a_changeset_without_an_owner_was_completed_by_another_apply(tmp_path: Path) -> None:
    owner = ownership.other_owner(Location(str(tmp_path)), "first")

    assert owner == "another process, which has written all of it"


def test_a_task_of_an_apply_that_lost_its_changeset_sends_nothing(tmp_path: Path) -> None:
    folder = Location(str(tmp_path))
    ownership.take(folder, "second")
    endpoint = Endpoint("http://127.0.0.1:9", "us-east-1", "items")
    task = ApplyTask(Rejects(folder, "run", "export"), endpoint, 1, 1.0, "first")

    with pytest.raises(RuntimeError, match="another apply has taken the changeset over: process"):
        task(Slice(0, (), 0, 0))
