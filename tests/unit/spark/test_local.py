import pytest

from loader.spark import local
from loader.spark.java import OPTION_VARIABLES


@pytest.mark.parametrize("variable", OPTION_VARIABLES)
def test_a_collector_that_the_environment_names_stays(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in OPTION_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    without = local.java_options()
    monkeypatch.setenv(variable, "-Xss1m -XX:+UseG1GC")

    assert without == f"{local.java_options()} -XX:+UseParallelGC"
