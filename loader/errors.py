"""Every error of the loader; its class says what a person can do about it.

    LoaderError
    ├── Refused      exit code 2: nothing was written; mend the configuration, table or view
    ├── PlanFailed   exit code 1: nothing was written; the warehouse was not read to the end
    └── ApplyFailed  exit code 1: what was written is unknown; apply the same changeset again.
                     Rare: a job that breaks off has a report, unless its folder cannot be read

A message reads `<thing> <rule>, got <value>: <remedy>`.
"""

import re
from collections.abc import Iterable

# A wrong signature's answer quotes the request that was signed, session token and all.
QUOTED_REQUEST = re.compile(r"\s*The Canonical String for this request.*", re.DOTALL)
# OpenSSL's message ends with a line of Python's own source: (_ssl.c:1016)
OPENSSL_PLACE = re.compile(r" \(_ssl\.c:\d+\)")


class LoaderError(Exception):
    """Base of all errors that the loader raises on purpose; `exit_code` is the process's."""

    exit_code = 1


class Refused(LoaderError):
    """One or more problems found before the first write; `problems` has one message each."""

    exit_code = 2

    def __init__(self, problems: str | Iterable[str], subject: str = "the run") -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        self.subject = subject
        super().__init__("\n".join(self.problems))


class PlanFailed(LoaderError):
    """The read of the warehouse broke off; the changeset is incomplete and must not be applied."""


class ApplyFailed(LoaderError):
    """The job that writes broke off, and so did the storage; what it acknowledged is unknown."""


def reason(error: object) -> str:
    """What a service or a library says, in one line, without the request that it quotes."""
    return " ".join(OPENSSL_PLACE.sub("", QUOTED_REQUEST.sub("", str(error))).split())
