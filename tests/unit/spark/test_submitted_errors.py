import io
import os
import sys
from types import SimpleNamespace

import pytest
from py4j.protocol import Py4JNetworkError
from pyspark import SparkContext

from loader.spark import submitted_errors
from loader.spark.properties import JVM_OF_SPARK_SUBMIT
from loader.spark.submitted_errors import separate_errors
from tests.support.pipes import pipe_for


class JvmErrors:
    """The standard error of a JVM, as py4j shows it; it has ended if there is an `error`."""

    def __init__(self) -> None:
        self.content = b""
        self.error: Exception | None = None

    def write(self, content: bytes, first: int, count: int) -> None:
        if self.error:
            raise self.error
        self.content += content[first : first + count]

    def flush(self) -> None:
        pass


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> JvmErrors:
    errors = JvmErrors()
    lang = SimpleNamespace(System=SimpleNamespace(err=errors))
    monkeypatch.setattr(SparkContext, "_ensure_initialized", lambda: None)
    monkeypatch.setattr(SparkContext, "_jvm", SimpleNamespace(java=SimpleNamespace(lang=lang)))
    monkeypatch.setattr(submitted_errors, "_are_merged", lambda: True)
    monkeypatch.setenv(JVM_OF_SPARK_SUBMIT, "1")
    return errors


def test_what_is_printed_on_standard_error_goes_to_that_of_the_jvm_of_spark_submit(
    errors: JvmErrors,
) -> None:
    with pipe_for(2) as own:
        before = sys.stderr
        with separate_errors():
            print("plan   8/8 · 3 rows/s", file=sys.stderr)
        assert sys.stderr is before
        print("end", file=sys.stderr)

    assert errors.content.decode() == "plan   8/8 · 3 rows/s\n"
    assert all_of(own) == "end\n"


def test_after_the_end_of_the_jvm_it_goes_to_the_own_one(errors: JvmErrors) -> None:
    errors.error = Py4JNetworkError("gone")
    with pipe_for(2) as own, separate_errors():
        print("Spark's JVM ended", file=sys.stderr)

    assert all_of(own) == "Spark's JVM ended\n"


@pytest.mark.parametrize("error", [Py4JNetworkError("gone"), ConnectionRefusedError("gone")])
def test_the_end_of_the_jvm_that_reads_the_own_one_does_not_break_a_run(
    errors: JvmErrors, error: Exception
) -> None:
    errors.error = error
    with pipe_for(2) as own, separate_errors():
        os.close(own)
        for _ in range(2):
            print("Spark's JVM ended", file=sys.stderr)


@pytest.mark.parametrize("reason", ["another JVM", "two outputs", "a stream of the program"])
def test_standard_error_stays_where_it_is_apart_from_standard_output(
    errors: JvmErrors, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pipe_for(2) as own:
        if reason == "another JVM":
            monkeypatch.delenv(JVM_OF_SPARK_SUBMIT)
        elif reason == "two outputs":
            monkeypatch.setattr(submitted_errors, "_are_merged", lambda: False)
        else:
            monkeypatch.setattr(sys, "stderr", io.StringIO())
        before = sys.stderr
        with separate_errors():
            assert sys.stderr is before
    os.close(own)


def all_of(reader: int) -> str:
    with open(reader, encoding="utf-8") as content:
        return content.read()
