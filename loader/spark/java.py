"""The Java that Spark needs."""

import os
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

# https://spark.apache.org/docs/latest/#downloading: Spark 4 runs on Java 17 and later.
JAVA_LEAST = 17


def java_problem() -> str | None:
    """Why Spark cannot start on the Java of this machine, or None."""
    if not banner():
        return (
            f"Java {JAVA_LEAST} or later must be installed, got none: install a JDK "
            f"(Debian: `apt-get install openjdk-{JAVA_LEAST}-jre-headless`, macOS: "
            f"`brew install openjdk@{JAVA_LEAST}`) or set JAVA_HOME"
        )
    installed = version()
    if installed and installed < JAVA_LEAST:
        return (
            f"Java must be {JAVA_LEAST} or later, got {installed}: install a newer JDK or point "
            "JAVA_HOME to one"
        )
    return None


def version() -> int | None:
    """The main number of Java's version: 17 for 17.0.9, 8 for 1.8.0."""
    match = re.search(r'version "(?:1\.)?(\d+)', banner())
    return int(match[1]) if match else None


def banner() -> str:
    """What `java -version` prints; nothing if there is no Java."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    return _banner(java) if java and Path(java).exists() else ""


@lru_cache
def _banner(java: str) -> str:
    return subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
