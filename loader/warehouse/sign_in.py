"""How the loader signs in to the warehouse, and when it must ask for a new password.

Redshift checks a password only when a session begins, and a session goes on after it has expired:
https://docs.aws.amazon.com/redshift/latest/mgmt/generating-user-credentials.html
"""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone

from loader.errors import Refused

DATABASE, IAM, IAM_ROLE, SECRET = "database", "iam", "iam_role", "secret"
# A read begins with credentials that are younger than this, and do not expire within the last.
OLDEST_SECONDS = 45 * 60
LEAST_SECONDS = 15 * 60

# In the message of a driver: of PostgreSQL, Redshift, MariaDB and MySQL, SQL Server, Oracle.
# https://github.com/aws/amazon-redshift-jdbc-driver/issues/97
NOT_AUTHENTICATED = re.compile(
    r"authentication failed|authentication token has expired|password (has )?expired"
    r"|access denied for user .*using password|login failed for user|ORA-01017",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class SignIn:
    """How user and password are found, without a secret; a bundle has it as JSON.

    `database`: the user, and the password of the dbt profile or, without a profile, of the
    environment variable `password_variable`. `iam`, `iam_role`: temporary credentials of a user of
    the database, or of the IAM identity, for a cluster or, `serverless`, for a workgroup; `profile`
    is an AWS profile. `secret`: the name or ARN of a secret of AWS Secrets Manager.
    """

    method: str = DATABASE
    user: str = ""
    password_variable: str = ""
    cluster_id: str = ""
    db_groups: tuple[str, ...] = ()
    autocreate: bool = False
    serverless: bool = False
    workgroup: str = ""
    region: str = ""
    profile: str = ""
    secret: str = ""

    def __str__(self) -> str:
        """What to check if the warehouse refuses the user."""
        if self.method == SECRET:
            return f"username and password of secret {self.secret}"
        if self.password_variable:
            return f"user {self.user} and its password in {self.password_variable}"
        if self.method != DATABASE:
            return f"method {self.method} of the dbt target"
        return "user and password of the dbt target"

    def grantee(self, user: str) -> str:
        """The user of the database who has the rights of a `user` who has signed in.

        GetClusterCredentials puts IAM: or IAMA: before the name of one. The names that the other
        operations give are those of users.
        https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
        """
        return self.user if self.method == IAM and not self.serverless else user


@dataclass(frozen=True)
class Secrets:
    """The secrets of a dbt profile, only in memory; a password of None is not the profile's."""

    password: str | None = field(default=None, repr=False)
    access_key_id: str = field(default="", repr=False)
    secret_access_key: str = field(default="", repr=False)


NO_SECRETS = Secrets()


@dataclass(frozen=True)
class Login:
    """User and password; when AWS was `asked` for them and when they expire, in seconds since 1970.

    A secret does not expire, but may be rotated.
    """

    user: str
    password: str = field(repr=False)
    asked: float | None = None
    expires: float = math.inf

    def is_old(self, now: float) -> bool:
        """Whether a read must not begin with it."""
        if self.asked is None:
            return False
        return now - self.asked >= OLDEST_SECONDS or self.expires - now <= LEAST_SECONDS

    def refusal(self, sign_in: SignIn, cause: str, now: float) -> str | None:
        """Why the warehouse refuses in the middle of a read what it accepted before, or None."""
        if self.asked is None or not NOT_AUTHENTICATED.search(cause):
            return None
        if sign_in.method == SECRET:
            return (
                f"secret {sign_in.secret}, which was read at {_clock(self.asked)}, may have been "
                "rotated since. Nothing was written: load again"
            )
        if now < self.expires:
            return None
        return (
            f"the temporary credentials of {_clock(self.asked)} expired at {_clock(self.expires)}, "
            "and a query or the retry of a task began after that. Nothing was written: give "
            "--queries that all run at the same time, or sign in with a password or --secret, "
            "then load again"
        )


class Logins:
    """The login of a connection and its copies; threads share it."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._last: tuple[SignIn, Login] | None = None

    def current(self, sign_in: SignIn, ask: Callable[[], Login]) -> Login:
        """The last login, or a new one if a read must not begin with it.

        If there is no new one, the last one is used until it expires or is refused.
        """
        with self._lock:
            last = self._last[1] if self._last and self._last[0] == sign_in else None
            if last and not last.is_old(self._clock()):
                return last
            try:
                login = ask()
            except Refused:
                if last and self._clock() < last.expires:
                    return last
                raise
            self._last = sign_in, login
            return login

    def forget(self, cause: str) -> bool:
        """Ask for a new login next time, if the last one came from AWS and was refused."""
        with self._lock:
            login = self._last[1] if self._last else None
            if login is None or login.asked is None or not NOT_AUTHENTICATED.search(cause):
                return False
            self._last = None
            return True

    def refusal(self, cause: str) -> str | None:
        """Why the last login is refused now, or None if its age does not explain it."""
        if self._last is None:
            return None
        sign_in, login = self._last
        return login.refusal(sign_in, cause, self._clock())


def password(how: SignIn, secrets: Secrets) -> str:
    """The password of a user of the database; raises `Refused` if the environment has none."""
    if secrets.password is not None or not how.password_variable:
        return secrets.password or ""
    password = os.environ.get(how.password_variable)
    if password is None:
        raise Refused(
            f"variable {how.password_variable} must have the password of the warehouse's user "
            f"{how.user}, got none: set it, or give --secret"
        )
    return password


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%H:%M:%S UTC")
