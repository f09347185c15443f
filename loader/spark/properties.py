"""The Spark properties that the user gives: spark-defaults.conf, the environment, --spark-conf."""

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from pyspark import SparkConf, SparkContext

from loader.errors import Refused, reason
from loader.spark.home import spark_home

JVM_OF_SPARK_SUBMIT = "PYSPARK_GATEWAY_PORT"
SUBMIT_ARGUMENTS = "PYSPARK_SUBMIT_ARGS"
MASTER = "spark.master"
DEPLOY_MODE = "spark.submit.deployMode"
# The Python of the executors, as spark-submit takes it.
PYTHON = "spark.pyspark.python"
LOCAL_MASTER = re.compile(r"local(\[.*\])?")
# Other programs have a variable MASTER too: a host, a branch.
SPARK_MASTER = re.compile(r"local(\[.*\])?|local-cluster\[.*\]|yarn|(spark|k8s)://.+")

# https://spark.apache.org/docs/latest/submitting-applications.html; `spark-submit --help`
OPTIONS = {
    "--archives": "spark.archives",
    "--deploy-mode": DEPLOY_MODE,
    "--driver-class-path": "spark.driver.extraClassPath",
    "--driver-cores": "spark.driver.cores",
    "--driver-java-options": "spark.driver.extraJavaOptions",
    "--driver-library-path": "spark.driver.extraLibraryPath",
    "--driver-memory": "spark.driver.memory",
    "--exclude-packages": "spark.jars.excludes",
    "--executor-cores": "spark.executor.cores",
    "--executor-memory": "spark.executor.memory",
    "--files": "spark.files",
    "--jars": "spark.jars",
    "--keytab": "spark.kerberos.keytab",
    "--master": MASTER,
    "--name": "spark.app.name",
    "--num-executors": "spark.executor.instances",
    "--packages": "spark.jars.packages",
    "--principal": "spark.kerberos.principal",
    "--py-files": "spark.submit.pyFiles",
    "--queue": "spark.yarn.queue",
    "--repositories": "spark.jars.repositories",
    "--total-executor-cores": "spark.cores.max",
}
CONF = ("--conf", "-c")
PYSPARK = "pyspark-shell"
DRIVER_OPTIONS = "spark.driver.extraJavaOptions"
# Of the cluster and of --spark-conf, both count: the JVM takes the last of two that contradict.
JAVA_OPTIONS = (DRIVER_OPTIONS, "spark.executor.extraJavaOptions")


def starts_jvm() -> bool:
    """Whether Spark's JVM starts here; otherwise spark-submit has started it."""
    return JVM_OF_SPARK_SUBMIT not in os.environ


def given(overrides: Mapping[str, str]) -> dict[str, str]:
    """The properties of the user, where a later source overrides: the variable MASTER,
    spark-defaults.conf, PYSPARK_SUBMIT_ARGS, --spark-conf.

    Under spark-submit they are those of its session. Java options of --spark-conf are added to
    those of the other sources.
    """
    if starts_jvm():
        others = {**_variable(), **_defaults(), **named({})}
    else:
        SparkContext._ensure_initialized()
        others = dict(SparkConf().getAll())
    added = {
        option: f"{others[option]} {overrides[option]}"
        for option in JAVA_OPTIONS
        if others.get(option) and option in overrides
    }
    return {**others, **overrides, **added}


def named(overrides: Mapping[str, str]) -> dict[str, str]:
    """The properties that are meant for this run: of PYSPARK_SUBMIT_ARGS, and --spark-conf."""
    arguments = os.environ.get(SUBMIT_ARGUMENTS, "") if starts_jvm() else ""
    return {**dict(_submitted(arguments)), **overrides}


def of_environment() -> dict[str, str]:
    """The properties that the variables MASTER and PYSPARK_SUBMIT_ARGS name."""
    return {**_variable(), **named({})}


def _variable() -> dict[str, str]:
    master = os.environ.get("MASTER", "")
    return {MASTER: master} if SPARK_MASTER.fullmatch(master) else {}


def is_local(given: Mapping[str, str]) -> bool:
    """Whether the master is this machine."""
    return bool(LOCAL_MASTER.fullmatch(given.get(MASTER, "local")))


def cluster(overrides: Mapping[str, str]) -> str | None:
    """The master of the session that is active or would start, or None for this machine.

    Raises `Refused` if PYSPARK_SUBMIT_ARGS has more than properties.
    """
    active = SparkContext._active_spark_context
    properties = {MASTER: str(active.master)} if active else given(overrides)
    return None if is_local(properties) else properties[MASTER]


def conf_file(name: str) -> Path:
    """A file in Spark's folder of configuration, which need not exist."""
    return Path(os.environ.get("SPARK_CONF_DIR") or spark_home() / "conf", name)


def _submitted(arguments: str) -> Iterator[tuple[str, str]]:
    """The properties of a PYSPARK_SUBMIT_ARGS; raises `Refused` if it has more than properties."""
    try:
        words = iter(shlex.split(arguments))
    except ValueError as error:
        raise _refused(str(error).lower()) from None
    for word in words:
        if word == PYSPARK:
            continue
        option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if option not in OPTIONS and option not in CONF:
            raise _refused(word)
        value = value if equals else next(words, "")
        if option in CONF:
            option, equals, value = value.partition("=")
            if not equals:
                raise _refused(f"--conf {option}")
            yield option, value
        else:
            yield OPTIONS[option], value


def _refused(got: str) -> Refused:
    return Refused(
        f"{SUBMIT_ARGUMENTS} must have options of spark-submit that set properties, got {got}: "
        "unset it, and give properties with --spark-conf"
    )


def _defaults() -> dict[str, str]:
    """The settings of spark-defaults.conf; raises `Refused` if it cannot be read."""
    file = conf_file("spark-defaults.conf")
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        cause = reason(error.strerror or error)
        raise Refused(f"cannot read {file}: {cause}. Check its owner and its mode") from None
    pairs = [re.split(r"[\s=:]+", line.strip(), maxsplit=1) for line in lines]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[0][:1] not in ("", "#")}
