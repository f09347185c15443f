"""The Java that Spark needs."""

import os
import re
import shutil
import subprocess
from pathlib import Path

# https://spark.apache.org/docs/latest/#downloading: Spark 4 runs on Java 17 and later.
JAVA_LEAST = 17


def java_problem() -> str | None:
    """Why Spark could not start on this machine's Java, or None."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not java or not Path(java).exists():
        return (
            f"Java {JAVA_LEAST} or later must be installed, got none: install a JDK "
            f"(Debian: `apt-get install openjdk-{JAVA_LEAST}-jre-headless`, macOS: "
            f"`brew install openjdk@{JAVA_LEAST}`) or set JAVA_HOME"
        )
    banner = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', banner)
    if found and int(found[1]) < JAVA_LEAST:
        return (
            f"Java must be {JAVA_LEAST} or later, got {found[1]}: install a newer JDK or point "
            "JAVA_HOME to one"
        )
    return None
