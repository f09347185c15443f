import os
import pwd
import tempfile
from pathlib import Path

import pyspark
import pytest
from pyspark import SparkContext

from loader.spark import java, problems, properties
from loader.spark.properties import JVM_OF_SPARK_SUBMIT, SUBMIT_ARGUMENTS
from loader.storage.location import Location

VERSION = pyspark.__version__


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment in which Spark starts."""
    names = ["MASTER", "SPARK_HOME", "PYSPARK_PYTHON", "SPARK_LOCAL_DIRS", SUBMIT_ARGUMENTS]
    for name in [*names, JVM_OF_SPARK_SUBMIT, *problems.CONNECT]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    monkeypatch.setattr(SparkContext, "_active_spark_context", None)
    monkeypatch.setattr(java, "java_problem", lambda: None)


def found(**overrides: str) -> list[str]:
    given = {name.replace("_", "."): value for name, value in overrides.items()}
    return problems.start_problems(given, (), Location("/runs"))


def test_a_usual_machine_has_no_problem() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("arguments", "got"),
    [
        ("--version", "--version"),
        ("--help pyspark-shell", "--help"),
        ("--master local[2] notebook.py", "notebook.py"),
        ("--conf 'a", "no closing quotation"),
        ("--conf spark.a pyspark-shell", "--conf spark.a"),
    ],
)
def test_submit_arguments_that_are_more_than_properties_are_a_problem(
    monkeypatch: pytest.MonkeyPatch, arguments: str, got: str
) -> None:
    monkeypatch.setenv(SUBMIT_ARGUMENTS, arguments)

    assert found() == [
        "PYSPARK_SUBMIT_ARGS must have options of spark-submit that set properties, got "
        f"{got}: unset it, and give properties with --spark-conf"
    ]


@pytest.mark.parametrize(
    "arguments", ["", "pyspark-shell", "--master local[2]", "-c spark.a=b --name=x pyspark-shell"]
)
def test_submit_arguments_of_properties_are_no_problem(
    monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    monkeypatch.setenv(SUBMIT_ARGUMENTS, arguments)

    assert found() == []


def spark(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "spark-submit").touch()
    (folder / "jars").mkdir()
    (folder / "jars" / f"spark-core_2.12-{version}.jar").touch()
    return folder


def test_a_folder_without_spark_or_with_another_release_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    nothing = found()
    old = spark(tmp_path / "old", "2.4.8-amzn-0")
    monkeypatch.setenv("SPARK_HOME", str(old))
    another = found()
    same = spark(tmp_path / "same", ".".join([*VERSION.split(".")[:2], "9-vendor"]))
    monkeypatch.setenv("SPARK_HOME", str(same))

    assert nothing == [
        f"SPARK_HOME must be the folder of Spark {VERSION}, got {tmp_path} without Spark: unset "
        "it, to use the one that pyspark brings"
    ]
    assert another == [
        f"SPARK_HOME must be the folder of Spark {VERSION}, as the installed pyspark, got {old} "
        "with 2.4.8-amzn-0: unset it, or install pyspark 2.4"
    ]
    assert found() == []
    monkeypatch.setenv("SPARK_HOME", "")
    assert found() == []


def connect(name: str, value: str) -> str:
    return (
        f"{name} must not be set, because the loader starts a Spark of its own or uses a cluster, "
        f"and no Spark Connect server, got {value}: unset it"
    )


def test_every_setting_of_spark_connect_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    values = ["sc://localhost", "1", "1", "connect"]
    for name, value in zip(problems.CONNECT, values, strict=True):
        monkeypatch.setenv(name, value)

    assert found(spark_remote="sc://localhost") == [
        *(connect(name, value) for name, value in zip(problems.CONNECT, values, strict=True)),
        connect("spark.remote", "sc://localhost"),
    ]
    for name, value in zip(problems.CONNECT, ["", "", "0", "classic"], strict=True):
        monkeypatch.setenv(name, value)
    assert found() == []


def test_a_master_that_spark_does_not_know_is_a_problem() -> None:
    assert found(spark_master="locl[2]") == [
        "spark.master must be local[N], yarn, spark://… or k8s://…, got locl[2]: correct it"
    ]


def test_a_user_without_a_name_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(pwd, "getpwuid", unknown)

    assert found() == [
        "user 12345 must have a name in /etc/passwd, which Spark needs, got none: add a line to it "
        "(in an image: `RUN useradd --uid 12345 loader`)"
    ]


def test_a_missing_python_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_PYTHON", "/nowhere/python")

    assert found() == [
        "PYSPARK_PYTHON must be a program, got /nowhere/python: unset it, to use the loader's "
        "Python"
    ]


def test_local_folders_that_cannot_be_written_are_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    taken = str(tmp_path / "file")
    message = (
        "must be a folder that can be written, got {} (File exists): name another, or unset it"
    )

    assert found(spark_local_dir=taken) == [f"spark.local.dir {message.format(taken)}"]
    assert found(spark_local_dir=f"{taken},{tmp_path}") == []
    monkeypatch.setenv("SPARK_LOCAL_DIRS", taken)
    assert found() == [f"SPARK_LOCAL_DIRS {message.format(taken)}"]


def test_no_temporary_folder_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)

    assert found() == [
        "a temporary folder must be writable, got none (No usable temporary directory found in "
        "['/tmp']): set TMPDIR"
    ]


def test_a_cluster_is_not_asked_about_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert found(spark_master="yarn", spark_local_dir="/proc/x") == []
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    monkeypatch.setenv(JVM_OF_SPARK_SUBMIT, "1")
    assert found() == []


def test_a_jar_that_the_driver_of_a_cluster_cannot_send_is_a_problem() -> None:
    assert found(spark_master="yarn", spark_jars="/nowhere/x.jar,hdfs:///y.jar") == [
        "spark.jars must name files, got /nowhere/x.jar, which does not exist: correct the path"
    ]


@pytest.mark.parametrize("by", ["--spark-conf", "MASTER", "spark-submit"])
def test_a_relative_storage_is_a_problem_of_a_cluster_whatever_names_it(
    by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    master = "spark://m:7077"
    overrides = {"spark.master": master} if by == "--spark-conf" else {}
    if by == "MASTER":
        monkeypatch.setenv("MASTER", master)
    if by == "spark-submit":
        monkeypatch.setenv(JVM_OF_SPARK_SUBMIT, "1")
        monkeypatch.setattr(properties, "given", lambda _: {"spark.master": master})

    assert problems.start_problems(overrides, (), Location(".loader")) == [
        "--storage must be s3://bucket/prefix or the absolute path of a folder that all machines "
        f"of the cluster share, got .loader with spark.master {master}: give one of them"
    ]
