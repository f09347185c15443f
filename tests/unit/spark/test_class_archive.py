from pathlib import Path

import pytest

from loader.spark import local


def test_a_jvm_is_told_of_the_archive_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "spark.jsa"
    monkeypatch.setattr(local, "ARCHIVE", archive)
    without = local.archive_options()
    archive.touch()

    assert (without, local.archive_options()) == (
        "",
        f"-XX:SharedArchiveFile={archive} -Xlog:disable -Xlog:all=warning:stderr",
    )


def test_packages_that_ivy_has_fetched_are_given_as_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    packages = ["com.amazon.redshift:redshift-jdbc42:2.3.0", "org.postgresql:postgresql:42.7.4"]
    jars = tmp_path / ".ivy2" / "jars"
    jars.mkdir(parents=True)
    files = [
        jars / "com.amazon.redshift_redshift-jdbc42-2.3.0.jar",
        jars / "org.postgresql_postgresql-42.7.4.jar",
    ]
    files[0].touch()
    one_is_missing = local.jar_settings(packages)
    files[1].touch()

    assert one_is_missing == {"spark.jars.packages": ",".join(packages)}
    assert local.jar_settings(packages) == {"spark.jars": f"{files[0]},{files[1]}"}
    assert local.jar_settings([]) == {}
