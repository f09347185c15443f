"""The Java that Spark needs."""

import os
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import pyspark

from loader.errors import reason
from loader.spark.failures import start_failure

# From these every JVM takes options.
OPTION_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")
# https://spark.apache.org/docs/latest/#downloading: Spark 4 runs on Java 17 and later. Spark 3.5
# needs the security manager, which Java 23 switched off: https://openjdk.org/jeps/486
JAVA_LEAST = 17
JAVA_MOST_OF_SPARK_3 = 22


def java_problem() -> str | None:
    """Why Spark cannot start on the Java of this machine, or None."""
    code, text = _version_command()
    if code is None:
        return (
            f"Java {JAVA_LEAST} or later must be installed, got none: install a JDK "
            f"(Debian: `apt-get install openjdk-{JAVA_LEAST}-jre-headless`, macOS: "
            f"`brew install openjdk@{JAVA_LEAST}`) or set JAVA_HOME"
        )
    if code:
        return (
            f"cannot run Java: {reason(start_failure(text))}. Check {_program()}, the memory and "
            f"the variables {', '.join(OPTION_VARIABLES)}"
        )
    installed = version()
    if installed and installed < JAVA_LEAST:
        return (
            f"Java must be {JAVA_LEAST} or later, got {installed}: install a newer JDK or point "
            "JAVA_HOME to one"
        )
    if installed and installed > JAVA_MOST_OF_SPARK_3 and pyspark.__version__.startswith("3."):
        return (
            f"Java must be {JAVA_LEAST} to {JAVA_MOST_OF_SPARK_3} for Spark {pyspark.__version__}, "
            f"got {installed}: install an older JDK, point JAVA_HOME to one, or install pyspark 4"
        )
    return None


def version() -> int | None:
    """The main number of Java's version: 17 for 17.0.9, 8 for 1.8.0."""
    match = re.search(r'version "(?:1\.)?(\d+)', banner())
    return int(match[1]) if match else None


def banner() -> str:
    """What `java -version` prints; nothing if there is no Java."""
    return _version_command()[1]


def _program() -> str:
    """The Java that Spark's scripts run; without JAVA_HOME the first on the path, if any."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else shutil.which("java") or ""


def _version_command() -> tuple[int | None, str]:
    options = tuple(os.environ.get(name, "") for name in OPTION_VARIABLES)
    return _run(_program(), options)


@lru_cache
def _run(java: str, options: tuple[str, ...]) -> tuple[int | None, str]:
    """The exit code and the output of `java -version`; None if there is no such program."""
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    except OSError:
        return None, ""
    return done.returncode, done.stderr + done.stdout
