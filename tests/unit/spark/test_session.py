from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark import SparkContext

from loader.errors import Refused
from loader.spark import jvm, local, properties, session
from loader.spark.jars import jar_settings
from loader.spark.log_file import LogFile
from loader.spark.properties import JAVA_OPTIONS
from loader.spark.session_settings import REQUIRED, SETTINGS
from loader.warehouse.connection import Driver

DRIVER, EXECUTOR = JAVA_OPTIONS
DRIVERS = [Driver("a.Driver", "a:b:1")]
with pytest.MonkeyPatch.context() as patched:
    # The archive of Spark's classes may be made, or claimed, by a load while the tests run.
    patched.setattr(local, "archive_options", lambda: "")
    LOCAL = local.settings(8, {})
JARS = jar_settings(DRIVERS, {}, Path())


class Started:
    """The settings that a session was started with; no Spark starts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, log: Path) -> None:
        self.settings: dict[str, str] = {}
        self.log = log
        self.environments: list[dict[str, str]] = []
        self.seconds: list[float | None] = []
        self.context = SimpleNamespace(pythonExec="python3")
        self.jars: list[Driver] = []
        monkeypatch.setattr(jvm, "start_jvm", self._start_jvm)
        monkeypatch.setattr(local, "_open_session", lambda context: None)
        monkeypatch.setattr(local, "archive_options", lambda: "")
        for module in (local, session):
            monkeypatch.setattr(module, "opened", self._opened)
        monkeypatch.setattr(session, "add_jars", self._add_jars)

    def _start_jvm(
        self,
        settings: Any,
        log: LogFile,
        environment: dict[str, str],
        seconds: float | None = None,
    ) -> Any:
        self.environments.append(environment)
        self.seconds.append(seconds)
        return self.context

    def _opened(self, settings: dict[str, str]) -> Any:
        self.settings = settings

    def _add_jars(self, spark: Any, drivers: list[Driver], *_: Any) -> None:
        self.jars += drivers

    def start(self, **overrides: str) -> dict[str, str]:
        given = {name.replace("_", "."): value for name, value in overrides.items()}
        session.start("test", DRIVERS, 8, self.log, given, 90.0)
        return self.settings


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Started:
    for name in ("MASTER", properties.SUBMIT_ARGUMENTS, properties.JVM_OF_SPARK_SUBMIT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    monkeypatch.setattr(SparkContext, "_active_spark_context", None)
    return Started(monkeypatch, tmp_path / "log")


def test_without_a_master_the_session_is_local(started: Started) -> None:
    settings = started.start()

    assert settings == {
        **SETTINGS,
        **REQUIRED,
        **LOCAL,
        **JARS,
        DRIVER: f"{LOCAL[DRIVER]}",
        "spark.app.name": "test",
    }
    assert (started.environments, started.seconds) == ([{"SPARK_LOCAL_IP": "127.0.0.1"}], [None])


def test_a_local_master_of_the_user_keeps_the_other_local_settings(started: Started) -> None:
    settings = started.start(spark_master="local[2,4]")

    assert settings["spark.master"] == "local[2,4]"
    assert settings["spark.driver.memory"] == LOCAL["spark.driver.memory"]


def test_the_settings_of_spark_defaults_stay_on_this_machine(
    started: Started, tmp_path: Path
) -> None:
    (tmp_path / "spark-defaults.conf").write_text(
        f"spark.driver.memory 8g\n= 1\n: 2\nspark.jars.packages c:d:2\n{DRIVER} -XX:+UseG1GC\n"
    )
    settings = started.start()

    assert "spark.driver.memory" not in settings  # so that Spark takes its own
    assert settings["spark.jars.packages"] == "c:d:2,a:b:1"
    assert settings[DRIVER].endswith(" -XX:+UseG1GC")
    assert "UseParallelGC" not in settings[DRIVER]


def test_java_options_of_the_user_are_added_to_those_of_the_loader(started: Started) -> None:
    settings = started.start(**{DRIVER: "-Xss4m"})

    assert settings[DRIVER] == f"{LOCAL[DRIVER]} -Xss4m"


@pytest.mark.parametrize(
    ("overrides", "here"),
    [({}, True), ({"spark.master": "local[2]"}, True), ({"spark.master": "yarn"}, False)],
)
def test_only_a_session_on_this_machine_starts_here(
    started: Started, overrides: dict[str, str], here: bool
) -> None:
    assert session.starts_here(overrides) is here


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MASTER", "spark://host:7077"),
        (properties.SUBMIT_ARGUMENTS, "--master yarn pyspark-shell"),
        (properties.JVM_OF_SPARK_SUBMIT, "1"),
    ],
)
def test_a_session_of_a_cluster_does_not_start_here(
    started: Started, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)

    assert not session.starts_here({})


@pytest.mark.parametrize("value", ["", "10.0.0.1", "db-master.example", "main", "local"])
def test_a_variable_master_that_is_not_of_spark_is_ignored(
    started: Started, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER", value)

    assert session.starts_here({})
    assert started.start()["spark.driver.memory"] == LOCAL["spark.driver.memory"]


def test_the_properties_of_pyspark_submit_args_are_those_of_the_user(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = f"--driver-memory=1g --driver-java-options '-Xss4m -Da=b' --conf {EXECUTOR}=-Dc=d"
    monkeypatch.setenv(properties.SUBMIT_ARGUMENTS, f"{arguments} pyspark-shell")

    settings = started.start()

    assert settings["spark.driver.memory"] == "1g"
    assert settings[DRIVER] == f"{LOCAL[DRIVER]} -Xss4m -Da=b"
    assert settings[EXECUTOR] == "-Dc=d"
    assert started.start(**{DRIVER: "-Xss1m"})[DRIVER] == f"{LOCAL[DRIVER]} -Xss4m -Da=b -Xss1m"


@pytest.mark.parametrize("master", ["yarn", "spark://host:7077", "k8s://host", "local-cluster[2]"])
def test_a_cluster_gets_no_local_setting(started: Started, master: str) -> None:
    settings = started.start(spark_master=master)

    assert settings == {
        **SETTINGS,
        **REQUIRED,
        **JARS,
        "spark.master": master,
        "spark.app.name": "test",
    }
    assert (started.environments, started.seconds) == ([{}], [90.0])


def test_a_cluster_keeps_its_java_options_and_gets_those_of_the_user_after_them(
    started: Started, tmp_path: Path
) -> None:
    (tmp_path / "spark-defaults.conf").write_text(
        f"# of the cluster\n\nspark.master yarn\n{DRIVER}   -XX:+UseG1GC -Da=b\n{EXECUTOR}=-Xss2m\n"
    )
    settings = started.start(**{EXECUTOR: "-Xss4m"})

    assert "spark.driver.memory" not in settings
    assert (settings[DRIVER], settings[EXECUTOR]) == (
        "-XX:+UseG1GC -Da=b",
        "-Xss2m -Xss4m",
    )


def test_the_environment_variable_master_names_a_cluster(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER", "yarn")

    settings = started.start()

    assert set(settings) & set(LOCAL) == {"spark.master"}
    assert settings["spark.master"] == "yarn"


@pytest.mark.parametrize("master", ["local[2]", "yarn"])
def test_the_property_of_the_executors_python_counts_as_under_spark_submit(
    started: Started, master: str
) -> None:
    started.start(**{"spark.master": master, "spark.pyspark.python": "/opt/python"})

    assert started.context.pythonExec == "/opt/python"


class Conf:
    """The properties of a JVM that spark-submit has started."""

    def __init__(self, properties: dict[str, str]) -> None:
        self.properties = properties

    def getAll(self) -> list[tuple[str, str]]:  # noqa: N802 Spark's name
        return [*self.properties.items()]


def test_under_spark_submit_its_jvm_and_its_settings_are_used(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(properties.JVM_OF_SPARK_SUBMIT, "1")
    monkeypatch.setattr(SparkContext, "_ensure_initialized", lambda: None)
    monkeypatch.setattr(properties, "SparkConf", lambda: Conf({EXECUTOR: "-verbose:gc"}))
    settings = started.start(**{EXECUTOR: "-Xss4m"})

    assert settings[EXECUTOR] == "-verbose:gc -Xss4m"
    assert "spark.master" not in settings
    assert (started.environments, started.jars) == ([], DRIVERS)


class Session:
    """A session of Spark, with its settings that can be changed, and those of its context."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = settings
        self.made: list[Session] = []
        self.conf = SimpleNamespace(
            isModifiable=lambda name: name.startswith("spark.sql."),
            get=self.settings.get,
            set=self.settings.__setitem__,
        )
        fixed = {"spark.executor.memory": "1g"}
        self.sparkContext = SimpleNamespace(getConf=lambda: fixed)

    def newSession(self) -> "Session":  # noqa: N802 Spark's name
        self.made.append(Session({}))
        return self.made[-1]


OURS = {
    name: value for name, value in {**SETTINGS, **REQUIRED}.items() if name.startswith("spark.sql.")
}


@pytest.mark.parametrize(
    ("before", "made"), [({"spark.sql.session.timeZone": "Asia/Tokyo"}, 1), (dict(OURS), 0)]
)
def test_a_program_that_has_started_spark_keeps_the_settings_of_its_session(
    started: Started, monkeypatch: pytest.MonkeyPatch, before: dict[str, str], made: int
) -> None:
    running = Session(dict(before))
    monkeypatch.setattr(SparkContext, "_active_spark_context", "active")
    monkeypatch.setattr(session, "opened", lambda settings: running)

    spark: Any = session.start("test", DRIVERS, 8, started.log, {})

    assert not session.starts_here({})
    assert (running.settings, len(running.made)) == (before, made)
    assert spark.settings == OURS
    assert (started.environments, started.jars) == ([], DRIVERS)


def test_a_property_that_must_be_set_before_spark_starts_has_no_effect_and_that_is_printed(
    started: Started, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(SparkContext, "_active_spark_context", "active")
    monkeypatch.setattr(session, "opened", lambda settings: Session({}))
    given = {"spark.master": "yarn", "spark.executor.memory": "1g", "spark.jars": "x.jar"}

    session.start("test", DRIVERS, 8, started.log, {**given, "spark.sql.shuffle.partitions": "3"})

    assert capsys.readouterr().err == (
        "warning: --spark-conf spark.master must be set before Spark starts, got a Spark that runs "
        "already: give it to the program that starts Spark\n"
    )


@pytest.mark.parametrize(("memory", "warned"), [("4g", True), ("1g", False)])
def test_a_property_of_a_jvm_that_spark_submit_has_started_has_no_effect_and_that_is_printed(
    started: Started,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    memory: str,
    warned: bool,
) -> None:
    monkeypatch.setenv(properties.JVM_OF_SPARK_SUBMIT, "1")
    monkeypatch.setattr(SparkContext, "_ensure_initialized", lambda: None)
    monkeypatch.setattr(properties, "SparkConf", lambda: Conf({"spark.driver.memory": "1g"}))

    started.start(**{"spark.driver.memory": memory, "spark.executor.memory": "3g"})

    assert capsys.readouterr().err == warned * (
        "warning: --spark-conf spark.driver.memory must be set before Spark starts, got a Spark "
        "that runs already: give it to the program that starts Spark\n"
    )


def test_defaults_of_spark_that_cannot_be_read_are_refused(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any, **__: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(Refused) as refused:
        started.start()

    file = properties.conf_file("spark-defaults.conf")
    assert str(refused.value) == (
        f"cannot read {file}: Permission denied. Check its owner and its mode"
    )
