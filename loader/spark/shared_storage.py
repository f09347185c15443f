"""Whether the executors of a cluster can run tasks and see the driver's storage, before the read.

Each executor reads a file that the driver has written, and writes one that the driver must find:
a folder that they do not share would keep rows on their machines. The same job finds executors
without credentials for the bucket, without the packages that tasks need, or with another version
of the loader.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from py4j.protocol import Py4JError

from loader.errors import Refused, StorageFailed, reason
from loader.package_version import package_version, version_numbers
from loader.spark import failures, progress, properties
from loader.spark.driver_conf import DRIVER_HOST, DRIVER_PORT, registered_slots
from loader.spark.stall import Stalled, StallWatch
from loader.spark.storage_probe import LEAST_VERSIONS, LOADER, OF_DRIVER, Answer, Probe
from loader.spark.waiting import reported
from loader.storage.location import Location

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A hidden folder: it is that of no export.
FOLDER = ".executors-"
# An executor may register between the count of executors and the job.
ROUNDS = 3
MOST_TASKS = 10_000
PAGE = "docs/run-on-a-cluster.md"
# Of a cluster that gives up, of executors that end again and again, and of a JVM that has ended.
ENDED = (
    "removed our application",
    "SparkContext was shut down",
    "ExecutorLostFailure",
    "Spark's JVM ended",
)


def folder_problem(storage: Location, overrides: Mapping[str, str]) -> str | None:
    """Why executors cannot see the same folder as the driver, or None: it is relative."""
    if storage.is_s3 or os.path.isabs(storage.uri):
        return None
    try:
        master = properties.cluster(overrides)
    except Refused:  # one of the problems of the start of Spark
        return None
    return master and (
        "--storage must be s3://bucket/prefix or the absolute path of a folder that all machines "
        f"of the cluster share, got {storage} with spark.master {master}: give one of them"
    )


def executor_problems(spark: SparkSession, storage: Location, seconds: float) -> list[str]:
    """Why executors that have registered cannot run tasks, or do not see the storage.

    `seconds` is the time after which a job without progress ends. A Spark on this machine needs no
    check.
    """
    master = properties.cluster({})
    if master is None:
        return []
    if problem := folder_problem(storage, {}):
        return [problem]
    token = uuid.uuid4().hex
    folder = storage / f"{FOLDER}{token}"
    try:
        folder.write(OF_DRIVER, token.encode())
        answers = _answers(spark, Probe(folder, token), master, seconds)
        usable = [answer for answer in answers if not answer.unusable]
        problems = [
            packages_problem(answers, package_version()),
            answers_problem(storage, checked(folder, usable, token)),
        ]
        return list(filter(None, problems))
    except Refused as refused:
        return refused.problems
    finally:
        folder.delete()


def checked(folder: Location, answers: Sequence[Answer], token: str) -> list[Answer]:
    """The answers; one has a problem if the driver cannot read the file that its executor wrote.

    On a disk the files have one owner. They are opened by name, because NFS may list a folder as it
    was half a minute ago.
    """
    if folder.is_s3:
        files = {*folder.files()}
        return [a if a.problem or a.file in files else _unseen(a) for a in answers]
    return [answer if answer.problem else _read(folder, answer, token) for answer in answers]


def _read(folder: Location, answer: Answer, token: str) -> Answer:
    try:
        content = folder.read(answer.file)
    except FileNotFoundError:
        return _unseen(answer)
    except StorageFailed as error:
        return replace(answer, problem=f"the driver cannot read its files ({error.cause})")
    return answer if content == token.encode() else _unseen(answer)


def _unseen(answer: Answer) -> Answer:
    return replace(answer, problem="its files do not reach the driver")


def packages_problem(answers: Sequence[Answer], version: str) -> str | None:
    """The executors without the loader of this version, or without the packages of its tasks."""
    found = _by_host((answer.host, _unfit(answer, version)) for answer in answers)
    if not found:
        return None
    least = " and ".join(f"{name} {number} or later" for name, number in LEAST_VERSIONS.items())
    return (
        f"executors must have loader {version} as the driver, {least}, got others ({found}): "
        f"install the packages of {PAGE} on these hosts"
    )


def _unfit(answer: Answer, version: str) -> str | None:
    """What an executor has instead of the packages, or None."""
    versions = dict(answer.versions)
    unfit = []
    if LOADER not in versions:
        unfit.append("an older loader")
    elif versions[LOADER] != version:
        unfit.append(f"loader {versions[LOADER]}")
    for name, least in LEAST_VERSIONS.items():
        if name in versions and version_numbers(versions[name]) < version_numbers(least):
            unfit.append(f"{name} {versions[name]}")
    return ", ".join(unfit + ([answer.unusable] if answer.unusable else [])) or None


def _by_host(causes: Iterable[tuple[str, str | None]]) -> str:
    """`worker-1, worker-2: cause; worker-3: another one`; empty without a cause."""
    hosts: dict[str, set[str]] = {}
    for host, cause in causes:
        if cause:
            hosts.setdefault(cause, set()).add(host)
    return "; ".join(f"{', '.join(sorted(names))}: {cause}" for cause, names in hosts.items())


def answers_problem(storage: Location, answers: Sequence[Answer]) -> str | None:
    """The executors that do not see the storage, by the host of each."""
    found = _by_host((answer.host, answer.problem) for answer in answers)
    if not found:
        return None
    remedy = (
        "check the credentials and the network of these hosts"
        if storage.is_s3
        else "give s3://bucket/prefix, or mount the folder there for the same user"
    )
    return (
        f"--storage {storage} must be seen by all executors, got some that do not see it "
        f"({found}): {remedy}"
    )


def _answers(spark: SparkSession, probe: Probe, master: str, seconds: float) -> list[Answer]:
    """The answers of all executors that have registered, but for those that end meanwhile."""
    answers: list[Answer] = []
    conf = spark.sparkContext.getConf()
    driver = f"{conf.get(DRIVER_HOST, '')}:{conf.get(DRIVER_PORT, '')}"
    with reported(lambda: _waiting(spark, master, driver)) as began:
        for number in range(ROUNDS):
            # So many tasks fill the slots of all executors.
            tasks = min(MOST_TASKS, max(1, sum(registered_slots(spark))))
            stall = StallWatch(spark, f"storage {probe.token} {number}", seconds)
            try:
                with progress.watched(spark, stall, "check storage", lambda _: None):
                    job = spark.sparkContext.parallelize(range(tasks), tasks).map(probe)
                    answers += job.collect()
            except Exception as error:
                raise refusal(probe.folder.parent, master, driver, error) from error
            began.set()
            seen = {(answer.host, answer.folder) for answer in answers}
            if len(seen) >= len(registered_slots(spark)) or any(
                a.problem or a.unusable for a in answers
            ):
                break
    return answers


def _waiting(spark: SparkSession, master: str, driver: str) -> str | None:
    """What a job without an executor waits for."""
    try:
        has_executors = bool(registered_slots(spark))
    except (Py4JError, OSError):
        return None  # the JVM ended: the job fails and reports it
    if has_executors:
        return None
    return f"start  waiting for an executor of {master} to connect to the driver at {driver}"


def refusal(storage: Location, master: str, driver: str, error: Exception) -> Refused:
    _, cause = failures.failure(error)
    if isinstance(error, Stalled) and error.tasks:
        remedy = f"Let executors open --storage {storage}"
    elif isinstance(error, Stalled):
        remedy = f"Let executors reach the driver at {driver}, or correct spark.driver.host"
    elif any(text in cause for text in ENDED):
        remedy = "See spark.log, and the logs of the executors on their machines"
    else:
        remedy = f"Executors need the Python and the packages of {PAGE}"
    return Refused(f"cannot run a task on {master}: {reason(cause)}. {remedy}")
