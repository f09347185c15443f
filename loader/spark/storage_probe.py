"""The task that finds out whether its executor has the packages, and sees the driver's storage."""

import socket
import uuid
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from loader.errors import LoaderError, StorageFailed, reason
from loader.package_version import package_version
from loader.storage.location import Location

OF_DRIVER = "driver"  # the file that the driver has written
LOADER = "loader"
# As pyproject.toml requires them.
LEAST_VERSIONS = {"botocore": "1.40", "pyarrow": "19"}
# What the workers of a plan and of an apply import; they are above this package.
TASKS = ("loader.plan.task", "loader.apply.task")


@dataclass(frozen=True)
class Answer:
    """What an executor has found; `file` is the one that it has written, if it sees the driver's.

    `folder` is the current folder of the executor, which no other one of the host has. `versions`
    has (package, version) of the loader and of `LEAST_VERSIONS`. `unusable` is why tasks cannot be
    imported: then the storage was not tried. The answer of a loader before these two has the
    defaults.
    """

    host: str
    folder: str
    file: str
    problem: str | None = None
    versions: tuple[tuple[str, str], ...] = ()
    unusable: str | None = None


@dataclass(frozen=True)
class Probe:
    """The task: call it with anything."""

    folder: Location
    token: str

    def __call__(self, _: int) -> Answer:
        answer = _imported(Answer(socket.gethostname(), str(Path.cwd()), uuid.uuid4().hex))
        if answer.unusable:
            return answer
        try:
            if self.folder.read(OF_DRIVER) != self.token.encode():
                raise FileNotFoundError  # another folder of this name
            self.folder.write(answer.file, self.token.encode())
        except FileNotFoundError:
            return replace(answer, problem="does not see the driver's files")
        except StorageFailed as error:
            return replace(answer, problem=f"{error.cause}. {error.remedy}")
        except (LoaderError, OSError) as error:
            return replace(answer, problem=reason(error))
        return answer


def _imported(answer: Answer) -> Answer:
    """The answer with the versions, or with why tasks cannot be imported."""
    versions = [(LOADER, package_version())]
    unusable = None
    try:
        for name in LEAST_VERSIONS:
            versions.append((name, import_module(name).__version__))
        for name in TASKS:
            import_module(name)
    except (ImportError, AttributeError) as error:  # an old package lacks a name
        unusable = reason(error)
    return replace(answer, versions=tuple(versions), unusable=unusable)
