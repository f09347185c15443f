from pathlib import Path
from typing import Any

import pytest
from pyspark import SparkContext

from loader.spark import local, session

UTC = "-Duser.timezone=UTC"
DRIVER, EXECUTOR = session.JAVA_OPTIONS
OURS = {
    "spark.master": "local[8,4]",
    "spark.driver.memory": "2g",
    DRIVER: "-XX:+OurOption",
    "spark.python.daemon.module": "loader.worker_daemon",
}


class Started:
    """The settings that a session was started with; no Spark starts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings: dict[str, str] = {}
        self.jvms: list[bool] = []
        monkeypatch.setattr(local, "settings", lambda packages, slots: OURS)
        monkeypatch.setattr(local, "start_jvm", lambda given, log, here: self.jvms.append(here))
        monkeypatch.setattr(session, "_session", self._session)

    def _session(self, settings: dict[str, str]) -> Any:
        self.settings = settings

    def start(self, **overrides: str) -> dict[str, str]:
        given = {name.replace("_", "."): value for name, value in overrides.items()}
        session.start("test", ["a:b:1"], 8, Path("log"), given)
        return self.settings


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Started:
    for name in ("MASTER", session.JVM_OF_SPARK_SUBMIT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    monkeypatch.setattr(SparkContext, "_active_spark_context", None)
    return Started(monkeypatch)


def test_without_a_master_the_session_is_local(started: Started) -> None:
    settings = started.start()

    assert settings == {
        **session.SETTINGS,
        **OURS,
        DRIVER: f"-XX:+OurOption {UTC}",
        EXECUTOR: UTC,
        "spark.app.name": "test",
    }
    assert started.jvms == [True]


def test_a_local_master_of_the_user_keeps_the_other_local_settings(started: Started) -> None:
    settings = started.start(spark_master="local[2,4]")

    assert (settings["spark.master"], settings["spark.driver.memory"]) == ("local[2,4]", "2g")


@pytest.mark.parametrize("master", ["yarn", "spark://host:7077", "k8s://host", "local-cluster[2]"])
def test_a_cluster_gets_no_local_setting(started: Started, master: str) -> None:
    settings = started.start(spark_master=master)

    assert settings == {
        **session.SETTINGS,
        "spark.master": master,
        DRIVER: UTC,
        EXECUTOR: UTC,
        "spark.app.name": "test",
    }
    assert started.jvms == [False]


def test_a_cluster_keeps_the_java_options_of_the_user(started: Started, tmp_path: Path) -> None:
    (tmp_path / "spark-defaults.conf").write_text(
        f"# of the cluster\n\nspark.master yarn\n{DRIVER}   -XX:+UseG1GC -Da=b\n{EXECUTOR}=-Xss2m\n"
    )
    settings = started.start(**{EXECUTOR: "-Xss4m"})

    assert "spark.driver.memory" not in settings
    assert (settings[DRIVER], settings[EXECUTOR]) == (
        f"-XX:+UseG1GC -Da=b {UTC}",
        f"-Xss4m {UTC}",
    )


def test_the_environment_variable_master_names_a_cluster(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER", "yarn")

    assert set(started.start()) & set(OURS) == {DRIVER}


def test_under_spark_submit_its_jvm_and_its_settings_are_used(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(session.JVM_OF_SPARK_SUBMIT, "1")
    monkeypatch.setattr(session, "_defaults", lambda: {EXECUTOR: "-verbose:gc"})
    settings = started.start()

    assert settings[EXECUTOR] == f"-verbose:gc {UTC}"
    assert "spark.master" not in settings
    assert started.jvms == []


def test_an_active_session_is_used(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SparkContext, "_active_spark_context", "active")

    assert started.start(spark_a="b") == {**session.SETTINGS, "spark.a": "b"}
    assert started.jvms == []
