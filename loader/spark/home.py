"""The folder of the Spark that starts here: SPARK_HOME, or pyspark's own."""

import os
import re
from pathlib import Path

import pyspark

RELEASE = re.compile(r"spark-core_[\d.]+-(\d+\.\d+)(.*)\.jar")


def spark_home() -> Path:
    """An empty SPARK_HOME is none."""
    return Path(os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent)


def home_problem() -> str | None:
    """Why Spark cannot start from its folder, or None: pyspark speaks to its own release only."""
    home, wanted = spark_home(), pyspark.__version__
    jars = [match for jar in home.glob("jars/*.jar") if (match := RELEASE.fullmatch(jar.name))]
    if not jars or not (home / "bin" / "spark-submit").is_file():
        return (
            f"SPARK_HOME must be the folder of Spark {wanted}, got {home} without Spark: "
            "unset it, to use the one that pyspark brings"
        )
    if wanted.split(".")[:2] != jars[0][1].split("."):
        return (
            f"SPARK_HOME must be the folder of Spark {wanted}, as the installed pyspark, got "
            f"{home} with {jars[0][1]}{jars[0][2]}: unset it, or install pyspark {jars[0][1]}"
        )
    return None
