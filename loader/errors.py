"""The errors of the loader; the class of an error determines what the user can do.

    LoaderError
    ├── Refused        exit code 2: nothing was written; fix the configuration, table or view
    │   ├── Guarded    a plan removes or changes more than is allowed
    │   └── Outdated   a kept plan that no command can apply: plan again
    ├── PlanFailed     exit code 1: nothing was written; load again
    ├── ReadFailed     exit code 1: the table cannot be read; nothing was written
    ├── ApplyFailed    exit code 1: some items may be written; apply the same changeset again
    └── StorageFailed  exit code 1: a file of the run cannot be read, written or removed
        └── CommitUnknown  the file may have been replaced: nothing may be cleaned up

A message is one line and has one of two forms:

    broken rule   <thing> must <rule>, got <value>: <remedy>
    failure       cannot <do what>: <cause>. <remedy>
"""

import re
from collections.abc import Iterable

# AWS answers a wrong signature with the request that was signed, session token included.
QUOTED_REQUEST = re.compile(r"\s*The Canonical String for this request.*", re.DOTALL)
# OpenSSL's messages end with a line of Python's source: (_ssl.c:1016)
OPENSSL_PLACE = re.compile(r" \(_ssl\.c:\d+\)")


# The exit codes of commands that end without an error, and of one that Ctrl-C ends.
COMPLETE, INCOMPLETE, INTERRUPTED = 0, 1, 130


class LoaderError(Exception):
    """Base class; `exit_code` is the exit code of the process."""

    exit_code = 1


class Refused(LoaderError):
    """A problem was found before the first write; `problems` has the messages.

    `without_keys` has the same for what is sent elsewhere, if one of them names a key.
    """

    exit_code = 2

    def __init__(
        self,
        problems: str | Iterable[str],
        subject: str = "the run",
        without_keys: str | None = None,
    ) -> None:
        # DynamoDB and the storage may have the same problem.
        self.problems = [problems] if isinstance(problems, str) else list(dict.fromkeys(problems))
        self.without_keys = self.problems if without_keys is None else [without_keys]
        self.subject = subject
        super().__init__("\n".join(self.problems))


class Guarded(Refused):
    """A plan removes or changes more of a table than is allowed, or reads too few rows."""


class Outdated(Refused):
    """A kept plan cannot be applied, for example because another run was committed since."""


class PlanFailed(LoaderError):
    """The read of the warehouse failed, so the changeset is incomplete and must not be applied."""


class ReadFailed(LoaderError):
    """A table cannot be read, so it cannot be compared or adopted."""


class ApplyFailed(LoaderError):
    """The job that writes failed, and its outcomes cannot be read from the storage."""


class StorageFailed(LoaderError, OSError):
    """A file of a run cannot be read, written or removed: `cannot write to s3://…`."""

    def __init__(self, action: str, place: str, cause: str, remedy: str) -> None:
        super().__init__(f"cannot {action} {place}: {cause}. {remedy}")
        self.cause, self.remedy = cause, remedy


class CommitUnknown(StorageFailed):
    """No answer says whether a file was replaced, and it cannot be read either."""


class VersionConflict(Exception):
    """Another program replaced or removed a file since its version was read."""


def subject_of(exports: Iterable[str], otherwise: str = "the run") -> str:
    """The exports as the subject of a refusal: `export a`, `exports a, b`."""
    names = list(exports)
    return f"export{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else otherwise


def exports_of(subject: str) -> list[str]:
    """The exports of a subject that `subject_of` made; none of any other."""
    word, _, names = subject.partition(" ")
    return names.split(", ") if word in ("export", "exports") else []


def reason(error: object) -> str:
    """The message of an error in one line, without the request it quotes and the final period."""
    return " ".join(OPENSSL_PLACE.sub("", QUOTED_REQUEST.sub("", str(error))).split()).rstrip(".")
