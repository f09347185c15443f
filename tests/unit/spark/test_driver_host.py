import socket
from pathlib import Path
from typing import Any

import pytest

from loader.spark import driver_host as module
from loader.spark.driver_host import driver_host


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in module.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))


@pytest.fixture
def route(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The masters whose route was looked up; this machine is 10.0.0.7 on each."""
    masters: list[tuple[str, int]] = []

    def address(host: str, port: int) -> str:
        masters.append((host, port))
        return "fd00::7" if ":" in host else "10.0.0.7"

    monkeypatch.setattr(module, "_local_address", address)
    return masters


@pytest.mark.parametrize(
    ("master", "host", "looked_up"),
    [
        ("spark://m:7077", "10.0.0.7", ("m", 7077)),
        ("spark://m:7077,n:7078", "10.0.0.7", ("m", 7077)),
        ("spark://[fd00::1]:7077", "[fd00::7]", ("fd00::1", 7077)),
    ],
)
def test_the_driver_of_a_standalone_cluster_has_the_address_on_the_route_to_its_master(
    route: list[Any], master: str, host: str, looked_up: tuple[str, int]
) -> None:
    assert driver_host({"spark.master": master}) == {"spark.driver.host": host}
    assert route == [looked_up]


@pytest.mark.parametrize("master", ["yarn", "k8s://https://api:6443", "local[2]"])
def test_other_clusters_choose_the_address_of_the_driver(route: list[Any], master: str) -> None:
    assert (driver_host({"spark.master": master}), route) == ({}, [])


@pytest.mark.parametrize("name", [*module.PROPERTIES, *module.VARIABLES])
def test_an_address_that_is_chosen_stays(
    route: list[Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"spark.master": "spark://m:7077"}
    if name in module.VARIABLES:
        monkeypatch.setenv(name, "10.0.0.9")
    else:
        given[name] = "10.0.0.9"

    assert (driver_host(given), route) == ({}, [])


@pytest.mark.parametrize(
    ("line", "chosen"),
    [
        ("export SPARK_LOCAL_IP=10.0.0.9", True),
        ("  SPARK_LOCAL_HOSTNAME=$(hostname -f)", True),
        ("# - SPARK_LOCAL_IP, to set the IP address", False),
        ("# export SPARK_LOCAL_IP=10.0.0.9", False),
        ("SPARK_LOCAL_IP=", False),
    ],
)
def test_an_address_that_the_script_of_spark_chooses_stays(
    route: list[Any], line: str, chosen: bool, tmp_path: Path
) -> None:
    (tmp_path / "spark-env.sh").write_text(f"#!/bin/sh\n{line}\n")

    assert (driver_host({"spark.master": "spark://m:7077"}) == {}) is chosen


def test_no_address_is_chosen_without_a_route_or_on_this_machine_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert driver_host({"spark.master": "spark://127.0.0.1:7077"}) == {}

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert driver_host({"spark.master": "spark://nowhere:7077"}) == {}
