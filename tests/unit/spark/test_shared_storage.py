import os
import pickle
import socket
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import botocore
import pyarrow as pa
import pytest
from pyspark import SparkContext

from loader.errors import StorageFailed
from loader.package_version import package_version
from loader.spark import properties
from loader.spark.shared_storage import (
    answers_problem,
    checked,
    folder_problem,
    packages_problem,
    refusal,
)
from loader.spark.stall import Stalled
from loader.spark.storage_probe import LEAST_VERSIONS, Answer, Probe
from loader.storage.location import Location
from tests.support.repository import REPOSITORY

CLUSTER = {"spark.master": "spark://m:7077"}
SHARED = Location("/mnt/loader")
BUCKET = Location("s3://bucket/loader")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MASTER", properties.SUBMIT_ARGUMENTS, properties.JVM_OF_SPARK_SUBMIT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    monkeypatch.setattr(SparkContext, "_active_spark_context", None)


def test_a_relative_folder_is_refused_on_a_cluster_and_the_option_is_named() -> None:
    assert folder_problem(Location(".loader"), CLUSTER) == (
        "--storage must be s3://bucket/prefix or the absolute path of a folder that all machines "
        "of the cluster share, got .loader with spark.master spark://m:7077: give one of them"
    )


@pytest.mark.parametrize(
    ("storage", "master"),
    [
        (SHARED, CLUSTER),
        (BUCKET, CLUSTER),
        (Location(".loader"), {}),
        (Location(".loader"), {"spark.master": "local[2]"}),
    ],
)
def test_an_absolute_folder_and_a_bucket_may_be_shared_and_one_machine_shares_all(
    storage: Location, master: dict[str, str]
) -> None:
    assert folder_problem(storage, master) is None


def test_an_executor_that_sees_the_file_of_the_driver_writes_one_that_the_driver_sees(
    tmp_path: Path,
) -> None:
    folder = Location(str(tmp_path / "shared"))
    folder.write("driver", b"token")

    answer = Probe(folder, "token")(0)

    versions = (
        ("loader", package_version()),
        ("botocore", botocore.__version__),
        ("pyarrow", pa.__version__),
    )
    assert answer == Answer(socket.gethostname(), os.getcwd(), answer.file, None, versions)
    assert folder.files() == sorted(["driver", answer.file])


@pytest.mark.parametrize("content", [None, b"of another run"])
def test_an_executor_that_does_not_see_the_file_of_the_driver_writes_none(
    tmp_path: Path, content: bytes | None
) -> None:
    folder = Location(str(tmp_path / "own"))
    if content is not None:
        folder.write("driver", content)
    before = folder.files()

    assert Probe(folder, "token")(0).problem == "does not see the driver's files"
    assert folder.files() == before


def test_the_hosts_that_do_not_see_the_storage_are_named_with_their_causes() -> None:
    unseen, denied = "does not see the driver's files", "Permission denied"
    answers = [
        Answer("worker-3", "/1", "c", denied),
        Answer("worker-2", "/1", "b", unseen),
        Answer("worker-1", "/1", "a", unseen),
        Answer("worker-1", "/2", "d", unseen),
        Answer("worker-5", "/1", "f"),
    ]

    assert answers_problem(SHARED, answers) == (
        "--storage /mnt/loader must be seen by all executors, got some that do not see it "
        "(worker-3: Permission denied; worker-1, worker-2: does not see the driver's files): give "
        "s3://bucket/prefix, or mount the folder there for the same user"
    )
    assert answers_problem(SHARED, answers[4:]) is None


def test_the_driver_must_read_what_an_executor_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Executors of another user can write files that are theirs alone."""
    folder = Location(str(tmp_path))
    folder.write("driver", b"token")
    seen = Probe(folder, "token")(0)
    folder.write("other", b"token of another run")
    answers = [seen, *(replace(seen, file=name) for name in ("missing", "other", "denied"))]
    read = Location.read

    def denied(self: Location, name: str) -> bytes:
        if name == "denied":
            raise StorageFailed("read", name, "Permission denied", "Check its owner")
        return read(self, name)

    monkeypatch.setattr(Location, "read", denied)
    unseen = "its files do not reach the driver"
    assert [answer.problem for answer in checked(folder, answers, "token")] == [
        None,
        unseen,
        unseen,
        "the driver cannot read its files (Permission denied)",
    ]
    failed = replace(seen, problem="does not see the driver's files")
    assert checked(folder, [failed], "token") == [failed]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            Stalled("no progress", []),
            "no progress. Let executors reach the driver at d:1, or correct spark.driver.host",
        ),
        (Stalled("no progress", [0]), "no progress. Let executors open --storage /mnt/loader"),
        (
            Exception("Job aborted: ExecutorLostFailure (executor 3 exited)"),
            "Job aborted: ExecutorLostFailure (executor 3 exited). See spark.log, and the logs of "
            "the executors on their machines",
        ),
        (
            ConnectionRefusedError(111, "refused"),
            "Spark's JVM ended ([Errno 111] refused). See spark.log, and the logs of the executors "
            "on their machines",
        ),
        (
            ModuleNotFoundError("No module named 'loader'"),
            "No module named 'loader'. Executors need the Python and the packages of "
            "docs/run-on-a-cluster.md",
        ),
    ],
)
def test_why_no_task_runs_leads_to_its_remedy(error: Exception, message: str) -> None:
    assert str(refusal(SHARED, "yarn", "d:1", error)) == f"cannot run a task on yarn: {message}"


def test_executors_that_cannot_reach_a_bucket_need_credentials_or_a_route() -> None:
    answers = [Answer("worker-1", "/1", "a", "Unable to locate credentials. Check AWS_PROFILE")]

    assert answers_problem(BUCKET, answers) == (
        "--storage s3://bucket/loader must be seen by all executors, got some that do not see it "
        "(worker-1: Unable to locate credentials. Check AWS_PROFILE): check the credentials and "
        "the network of these hosts"
    )


def test_an_executor_that_cannot_import_the_tasks_answers_why_and_does_not_try_the_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Location(str(tmp_path))
    folder.write("driver", b"token")
    monkeypatch.setitem(sys.modules, "botocore", None)

    answer = Probe(folder, "token")(0)

    assert (answer.unusable, answer.problem, answer.versions) == (
        "import of botocore halted; None in sys.modules",
        None,
        (("loader", package_version()),),
    )
    assert folder.files() == ["driver"]


def answered(host: str, unusable: str | None = None, **versions: str) -> Answer:
    own = {"loader": "0.2.0", "botocore": "1.44.8", "pyarrow": "26.0.1", **versions}
    return Answer(host, "/1", "a", None, tuple(own.items()), unusable)


def test_the_hosts_with_another_loader_or_without_its_packages_are_named() -> None:
    equal = [answered("worker-1"), answered("worker-1", pyarrow="19.0.0", botocore="1.40")]
    missing = "No module named 'botocore'"
    others = [
        Answer("worker-2", "/1", "a", None, (("loader", "0.2.0"),), missing),
        Answer("worker-7", "/1", "a", None, (("loader", "0.2.0"),), missing),
        answered("worker-3", loader="0.1.9"),
        answered("worker-4", pyarrow="9.0.0", botocore="1.39.17"),
        answered("worker-5", loader="not installed as a package"),
    ]

    assert packages_problem(equal, "0.2.0") is None
    assert packages_problem([*equal, *others], "0.2.0") == (
        "executors must have loader 0.2.0 as the driver, botocore 1.40 or later and pyarrow 19 or "
        "later, got others (worker-2, worker-7: No module named 'botocore'; worker-3: loader "
        "0.1.9; worker-4: botocore 1.39.17, pyarrow 9.0.0; worker-5: loader not installed as a "
        "package): install the packages of docs/run-on-a-cluster.md on these hosts"
    )


def test_the_answer_of_a_loader_without_versions_is_that_of_an_older_one() -> None:
    older = object.__new__(Answer)
    older.__dict__.update(host="worker-1", folder="/1", file="a", problem=None)

    problem = packages_problem([pickle.loads(pickle.dumps(older))], "0.2.0")  # noqa: S301

    assert problem is not None
    assert "got others (worker-1: an older loader): " in problem


def test_the_least_versions_are_those_that_the_package_requires() -> None:
    required = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]

    for name, least in LEAST_VERSIONS.items():
        assert f"{name}>={least}" in required
