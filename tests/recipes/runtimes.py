"""What a service brings to a job: a version of Spark, a Python, and packages of it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.environments import Environment, uv
from tests.recipes.artifacts import Artifacts, find_python

FOLDER = Path(__file__).parent
# What Hadoop's test cluster depends on, and Spark has.
EXCLUDED = "org.apache.hadoop:hadoop-client-api,org.apache.hadoop:hadoop-client-runtime"

# What it needs and does not name.
LEFT_OUT = "org.bouncycastle:bcpkix-jdk18on:1.78.1,org.glassfish.jaxb:jaxb-runtime:2.3.2"


@dataclass(frozen=True)
class Runtime(Environment):
    """A Python without Spark, and a Spark that is not among its packages, as services have it."""

    spark: str

    @property
    def spark_home(self) -> Path:
        return self.folder.with_name(f"spark-{self.spark}") / "pyspark"


def runtime(folder: Path, spark: str, python: str, packages: str = "") -> Runtime:
    """A runtime in a new folder; `packages` is a file of this package."""
    home = folder.with_name(f"spark-{spark}")
    if not home.exists():
        target = ("--python", sys.executable, "--target", str(home))
        uv("pip", "install", *target, "--no-deps", f"pyspark=={spark}")
    uv("venv", "--python", str(find_python(python)), str(folder))
    made = Runtime(folder, spark)
    if packages:
        options = ("--no-deps", "-r", str(FOLDER / packages))
        uv("pip", "install", "--python", str(made.python), *options)
    return made


def install_wheels(made: Runtime, artifacts: Artifacts, address: str, *options: str) -> None:
    """Install a zip of wheels with the service's own pip, as Glue does.

    https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-python-libraries.html
    """
    wheels = made.folder / "gluewheels"
    subprocess.run(
        [made.python, "-m", "zipfile", "-e", artifacts.file(address), wheels], check=True
    )
    command = [str(made.python), "-m", "pip", "install", "--quiet", *options]
    command += [
        "--find-links",
        str(wheels / "wheels"),
        "-r",
        str(wheels / "wheels/requirements.txt"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pip of the service cannot install the wheels: {done.stderr}")


def minicluster(made: Runtime) -> str:
    """The classes of Hadoop's test cluster of this Spark's Hadoop, which Spark fetches once."""
    (jar,) = (made.spark_home / "jars").glob("hadoop-client-api-*.jar")
    version = jar.stem.rpartition("-")[2]
    home = Path.home() / ".cache" / "redshift-to-dynamodb" / f"hadoop-{version}"
    if not list(home.glob("jars/*hadoop-client-minicluster-*.jar")):
        script = made.folder / "nothing.py"
        script.write_text("")
        command = [str(made.spark_home / "bin" / "spark-submit"), "--master", "local"]
        command += [
            "--packages",
            f"org.apache.hadoop:hadoop-client-minicluster:{version},{LEFT_OUT}",
        ]
        command += ["--exclude-packages", EXCLUDED, "--conf", f"spark.jars.ivy={home}", str(script)]
        variables = {**os.environ, "PATH": made.search_path}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"cannot fetch Hadoop's test cluster: {done.stderr}")
    return f"{home}/jars/*"
