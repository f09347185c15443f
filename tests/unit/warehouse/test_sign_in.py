"""When user and password are asked for again, and what follows if they are too old."""

import json
from dataclasses import asdict, replace

import pytest
from pydantic import TypeAdapter

from loader.errors import Refused
from loader.warehouse.connection import Connection
from loader.warehouse.sign_in import NO_SECRETS, Login, Logins, Secrets, SignIn

ROLE = SignIn("iam_role", cluster_id="shop", db_groups=("readers",), region="eu-west-1")
HELD = SignIn("secret", secret="shop/loader")  # noqa: S106  its name
DENIED = 'FATAL: password authentication failed for user "IAM:loader"'
MINUTE = 60.0


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def asked(sign_in: SignIn, lifetime: float, times: list[float]) -> list[str]:
    """The passwords at these times in minutes, if each login is valid for `lifetime` minutes."""
    clock, numbers = Clock(), iter(range(100))
    begin, logins = clock.now, Logins(clock)

    def ask() -> Login:
        if sign_in.method == "database":
            return Login("u", f"p{next(numbers)}")
        return Login("u", f"p{next(numbers)}", clock.now, clock.now + lifetime * MINUTE)

    passwords = []
    for time in times:
        clock.now = begin + time * MINUTE
        passwords.append(logins.current(sign_in, ask).password)
    return passwords


def test_temporary_credentials_are_asked_for_again_before_they_are_45_minutes_old() -> None:
    assert asked(ROLE, 60, [0, 30, 44.9, 45, 60, 90]) == ["p0", "p0", "p0", "p1", "p1", "p2"]


def test_temporary_credentials_that_expire_within_15_minutes_are_asked_for_again() -> None:
    assert asked(ROLE, 30, [0, 14.9, 15, 20]) == ["p0", "p0", "p1", "p1"]


def test_a_secret_is_read_again_after_45_minutes_because_it_may_have_been_rotated() -> None:
    assert asked(HELD, float("inf"), [0, 44, 46]) == ["p0", "p0", "p1"]


def test_a_static_password_is_never_asked_for_again() -> None:
    assert asked(SignIn(user="u"), 0, [0, 1_000]) == ["p0", "p0"]


def test_the_copies_of_a_connection_share_a_login_and_another_sign_in_has_another() -> None:
    made = Connection("redshift", "h", 5439, "dev", SignIn(user="u"), Secrets("p"))
    copy = replace(made, statement_seconds=1)
    other = replace(made, sign_in=SignIn(user="v"))

    assert copy.login() is made.login()
    assert other.login() == Login("v", "p")


def test_without_a_profile_the_password_is_that_of_the_environment_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    how = SignIn(user="loader", password_variable="SHOP_PASSWORD")  # noqa: S106  its name
    made = Connection("redshift", "h", 5439, "dev", how)
    monkeypatch.delenv("SHOP_PASSWORD", raising=False)

    with pytest.raises(Refused) as refused:
        made.login()
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")

    assert refused.value.problems == [
        "variable SHOP_PASSWORD must have the password of the warehouse's user loader, got none: "
        "set it, or give --secret"
    ]
    assert made.login() == Login("loader", "hunter2")


@pytest.mark.parametrize("how", [SignIn(), ROLE, HELD])
def test_a_sign_in_is_json_and_back(how: SignIn) -> None:
    document = json.loads(json.dumps(asdict(how)))

    assert TypeAdapter(SignIn).validate_python(document) == how


def test_if_there_are_no_newer_credentials_the_last_ones_are_used_until_they_expire() -> None:
    clock = Clock()
    begin, logins = clock.now, Logins(clock)

    def ask() -> Login:
        if clock.now > begin:
            raise Refused("cannot sign in: throttled")
        return Login("u", "p", clock.now, clock.now + 60 * MINUTE)

    first = logins.current(ROLE, ask)
    clock.now = begin + 59 * MINUTE
    assert logins.current(ROLE, ask) is first

    clock.now = begin + 60 * MINUTE
    with pytest.raises(Refused):
        logins.current(ROLE, ask)


def test_without_credentials_that_were_accepted_before_the_first_refusal_counts() -> None:
    logins = Logins()

    def ask() -> Login:
        raise Refused("cannot sign in")

    with pytest.raises(Refused):
        logins.current(ROLE, ask)
    logins.current(ROLE, lambda: Login("u", "p", asked=1e12))
    assert logins.forget(DENIED)
    with pytest.raises(Refused):
        logins.current(ROLE, ask)


@pytest.fixture
def late() -> tuple[Logins, Clock]:
    """A login that the warehouse refuses after an hour."""
    clock = Clock()
    clock.now = 1_800_000_000.0
    return Logins(clock), clock


def test_a_refusal_after_temporary_credentials_have_expired_says_so(
    late: tuple[Logins, Clock],
) -> None:
    logins, clock = late
    logins.current(ROLE, lambda: Login("IAM:loader", "p", clock.now, clock.now + 60 * MINUTE))

    assert logins.refusal(DENIED) is None
    clock.now += 61 * MINUTE
    assert logins.refusal("division by zero") is None
    assert logins.refusal(DENIED) == (
        "the temporary credentials of 08:00:00 UTC expired at 09:00:00 UTC, and a query or the "
        "retry of a task began after that. Nothing was written: give --queries that all run at "
        "the same time, or sign in with a password or --secret, then load again"
    )


def test_a_refusal_after_a_secret_was_read_says_that_it_may_have_been_rotated(
    late: tuple[Logins, Clock],
) -> None:
    logins, clock = late
    logins.current(HELD, lambda: Login("loader", "p", clock.now))

    assert logins.refusal(DENIED) == (
        "secret shop/loader, which was read at 08:00:00 UTC, may have been rotated since. "
        "Nothing was written: load again"
    )


def test_a_static_password_does_not_grow_old(late: tuple[Logins, Clock]) -> None:
    logins, _ = late
    assert logins.refusal(DENIED) is None
    logins.current(SignIn(user="u"), lambda: Login("u", "p"))

    assert logins.refusal(DENIED) is None


def test_a_login_of_aws_that_is_refused_is_asked_for_again_and_a_static_one_is_not() -> None:
    logins = Logins()
    assert not logins.forget(DENIED)
    logins.current(ROLE, lambda: Login("u", "p", asked=1e12))

    assert not logins.forget("Connection refused")
    assert logins.forget(DENIED)
    assert logins.current(SignIn(user="u"), lambda: Login("u", "new")) == Login("u", "new")
    assert not logins.forget(DENIED)


@pytest.mark.parametrize(
    "message",
    [
        'FATAL: password authentication failed for user "loader"',
        "FATAL: IAM Authentication token has expired",  # Redshift
        "FATAL: password has expired",
        "(conn=7) Access denied for user 'loader'@'10.0.0.1' (using password: YES)",
        "Login failed for user 'loader'. ClientConnectionId:7",
        "ORA-01017: invalid username/password; logon denied",
    ],
)
def test_a_password_that_a_driver_says_is_refused_is_asked_for_again(message: str) -> None:
    logins = Logins()
    logins.current(HELD, lambda: Login("u", "p", asked=1.8e9))

    assert logins.refusal(message)
    assert logins.forget(f"An error occurred while calling o42.connect.\n: {message}\n\tat x.Y")


@pytest.mark.parametrize(
    "message",
    [
        "Access denied for user 'loader'@'%' to database 'shop'",
        "ERROR: permission denied for relation orders",
    ],
)
def test_a_missing_right_is_no_refused_password(message: str) -> None:
    logins = Logins()
    logins.current(HELD, lambda: Login("u", "p", asked=1e12))

    assert (logins.refusal(message), logins.forget(message)) == (None, False)


def test_nothing_that_is_printed_has_a_secret() -> None:
    made = Connection("redshift", "h", 5439, "dev", ROLE, Secrets("hunter2", "hunter3", "hunter4"))
    made.logins.current(ROLE, lambda: Login("u", "hunter5"))

    assert "hunter" not in f"{made!r} {made} {made.login()} {made.logins!r} {NO_SECRETS!r}"
