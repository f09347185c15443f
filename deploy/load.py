"""Run a command of the loader as a Spark job: on AWS Glue, Amazon EMR, EMR Serverless or any Spark.

    spark-submit load.py load --bundle s3://example-bucket/bundles/user_items.json …

A Glue job has parameters instead of words, and gets some of its own among them. There the job
parameter `--loader` is the command, and `--AWS_REGION` the region if Glue has set none:
https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
"""

import io
import os
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout

from loader.cli import main
from loader.output import safe_stream

REGION = "AWS_REGION"
# `--metrics emf` prints such lines at the end; they do not say why a load failed.
METRICS = '{"_aws"'
LONGEST = 4096


class LoadFailed(Exception):
    """The exit code of the loader, and the last line that it printed."""


class Copied(io.TextIOBase):
    """A stream that passes on what it gets, and keeps its last line that is not one of metrics."""

    def __init__(self, stream):
        self.stream, self.line, self.last = stream, "", ""

    def write(self, text):
        *lines, rest = (self.line + text).split("\n")
        self.line = rest[:LONGEST]
        for line in lines:
            self.keep(line)
        return self.stream.write(text)

    def keep(self, line):
        if line.strip() and not line.startswith(METRICS):
            self.last = line.strip()[:LONGEST]

    def flush(self):
        self.stream.flush()

    @property
    def last_line(self):
        self.keep(self.line)
        return self.last


def parameters(arguments):
    """The parameters of a Glue job by their names; some that Glue adds have no value."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return {name[2:]: value for name, value in pairs if name.startswith("--")}


def exit_code(command):
    try:
        return main(command)
    except SystemExit as error:  # the command is not understood
        return error.code


def run_glue_job(job):
    """Run the command; raise `LoadFailed`, which is the error message of the job, if it fails."""
    if REGION in job and not os.environ.get("AWS_DEFAULT_REGION"):
        os.environ.setdefault(REGION, job[REGION])
    output = Copied(safe_stream(sys.stdout, sys.__stdout__, 1))
    with redirect_stdout(output), redirect_stderr(output):
        code = exit_code(shlex.split(job["loader"]))
    if code:
        raise LoadFailed(f"exit code {code}: {output.last_line}")


if __name__ == "__main__":
    if "--loader" in sys.argv:
        run_glue_job(parameters(sys.argv[1:]))
    else:
        sys.exit(main())
