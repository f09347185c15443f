"""The archive of Spark's classes, in the JVM's in-memory format.

docs/decisions/0006-start-with-less-work.md has the CPU time that it saves.
"""

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

import pyspark

from loader.spark import java
from loader.spark.home import spark_home
from loader.storage.local_files import make_private

# From this version on the JVM itself makes an archive of classes that is missing.
# https://openjdk.org/jeps/350, https://bugs.openjdk.org/browse/JDK-8261455
JAVA_MAKES_ARCHIVE = 19
# Time after which another load may make an archive that is still missing.
CLAIM_SECONDS = 3600
# By default the JVM reports an archive that does not fit on standard output.
QUIET = "-Xlog:disable -Xlog:all=warning:stderr"
# An archive has 160 MB, and each Java and each environment has its own.
KEPT = 2


def archive() -> Path | None:
    """Its file, or None without a cache.

    It is in the user's cache, which exists and can be written after `pip install` too. An archive
    fits one Java and one set of jars, so its name has both.
    """
    try:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # no HOME, and no such user
        return None
    jars = spark_home() / "jars"
    identity = f"{java.banner()} {jars} {jars.stat().st_mtime_ns if jars.is_dir() else ''}"
    digest = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
    return Path(cache, "redshift-to-dynamodb", f"spark-{pyspark.__version__}-{digest}.jsa")


def archive_options() -> str:
    """Options with which the JVM uses the archive or, if it is missing, makes it when it ends.

    Before Java 19 `python -m loader.spark.class_archive` makes it.
    """
    file = archive()
    if file is None:
        return ""
    option = f'-XX:SharedArchiveFile="{file}"'
    if os.path.isfile(file):
        with suppress(OSError):  # a cache that is read-only
            os.utime(file)
        return f"{option} {QUIET}"
    if (java.version() or 0) < JAVA_MAKES_ARCHIVE or not _claimed(file):
        return ""
    remove_old(file)
    # With warnings, the log would name every class that is left out.
    return f"-XX:+AutoCreateSharedArchive {option} {QUIET.replace('warning', 'error')}"


def remove_old(file: Path) -> None:
    """Make room for the archive `file`: keep the ones that were used last."""
    others = [other for other in file.parent.glob("spark-*.jsa") if other != file]
    others.sort(key=_last_use, reverse=True)
    for other in others[KEPT - 1 :]:
        for name in (other, other.with_suffix(".log"), other.with_suffix(".claim")):
            name.unlink(missing_ok=True)


def _last_use(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:  # another load has removed it
        return 0.0


def _claimed(file: Path) -> bool:
    """Whether this load is the one that makes the archive: two would write to the same file."""
    claim = file.with_suffix(".claim")
    try:
        make_private(file.parent)
        with suppress(FileNotFoundError):
            if time.time() - claim.stat().st_mtime > CLAIM_SECONDS:
                claim.unlink()
        os.close(os.open(claim, os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return False
    return True
