"""The task that finds out whether its executor sees the storage of the driver."""

import socket
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from loader.errors import LoaderError, StorageFailed, reason
from loader.storage.location import Location

OF_DRIVER = "driver"  # the file that the driver has written


@dataclass(frozen=True)
class Answer:
    """What an executor has found; `file` is the one that it has written, if it sees the driver's.

    `folder` is the current folder of the executor, which no other one of the host has.
    """

    host: str
    folder: str
    file: str
    problem: str | None = None


@dataclass(frozen=True)
class Probe:
    """The task: call it with anything."""

    folder: Location
    token: str

    def __call__(self, _: int) -> Answer:
        answer = Answer(socket.gethostname(), str(Path.cwd()), uuid.uuid4().hex)
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
