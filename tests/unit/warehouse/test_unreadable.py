"""Each cause of a view that cannot be read leads to what to do."""

import pytest

from loader.items.export import Relation
from loader.warehouse.connection import Connection, source_connection
from loader.warehouse.jdbc_source import JdbcSource
from loader.warehouse.sign_in import Login, SignIn
from loader.warehouse.unreadable import unreadable

CONNECTION = Connection("redshift", "cluster.example", 5439, "prod", SignIn(user="loader"))
RELATION = Relation("prod", "analytics", "orders")
BUILD = "`dbt build --select orders` with the same target"
READ = "cannot read from cluster.example:5439/prod as user loader"


def message(state: str, cause: str) -> str:
    return unreadable(CONNECTION, RELATION, "orders", state, cause)


@pytest.mark.parametrize(
    ("cause", "grant"),
    [
        (
            "permission denied for relation orders",
            'select on table "analytics"."orders" to "loader"`',
        ),
        ("permission denied for view orders", 'select on table "analytics"."orders" to "loader"`'),
        (
            "permission denied for table raw_orders",
            'select on table "raw_orders" to "loader"`, or to the owner of the view that reads it',
        ),
        ("permission denied for schema raw", 'usage on schema "raw" to "loader"`'),
        ("permission denied for schema My Schema", 'usage on schema "My Schema" to "loader"`'),
        ('permission denied for database "prod"', 'connect on database "prod" to "loader"`'),
        ("permission denied for function f_hash", 'execute on function "f_hash" to "loader"`'),
        ("something is not allowed", 'select on table "analytics"."orders" to "loader"`'),
    ],
)
def test_a_missing_permission_is_reported_with_the_grant_that_gives_it(
    cause: str, grant: str
) -> None:
    assert message("42501", f"ERROR: {cause}") == (
        f"{READ}: ERROR: {cause}. Grant it: `grant {grant}"
    )


@pytest.mark.parametrize(
    ("how", "signed_in", "grantee"),
    [
        (SignIn("iam", user="loader", cluster_id="c"), "IAM:loader", "loader"),
        (SignIn("iam", user="loader", cluster_id="c", autocreate=True), "IAMA:loader", "loader"),
        (SignIn("iam", user="loader", serverless=True), "IAMR:job", "IAMR:job"),
        (SignIn("iam_role", cluster_id="c"), "IAMR:job", "IAMR:job"),
    ],
)
def test_a_grant_is_to_the_user_of_the_database(how: SignIn, signed_in: str, grantee: str) -> None:
    connection = Connection("redshift", "cluster.example", 5439, "prod", how)
    connection.logins.current(how, lambda: Login(signed_in, "p", asked=1e12))

    cause = "permission denied for schema raw"
    assert unreadable(connection, RELATION, "orders", "42501", cause) == (
        f"cannot read from cluster.example:5439/prod as user {signed_in}: {cause}. Grant it: "
        f'`grant usage on schema "raw" to "{grantee}"`'
    )
    assert unreadable(connection, RELATION, "orders", "28000", "FATAL: no").endswith(
        f"FATAL: no. Check method {how.method} of the dbt target, and that the user may log in"
    )


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ("42P01", 'ERROR: relation "analytics.orders" does not exist'),
        ("42P01", 'ERROR: relation "orders" does not exist'),
        ("3F000", 'ERROR: schema "analytics" does not exist'),
    ],
)
def test_a_missing_view_is_built_by_dbt(state: str, cause: str) -> None:
    assert message(state, cause) == (
        f"view analytics.orders must exist in cluster.example:5439/prod, got none ({cause}): "
        f"run {BUILD}"
    )


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ("42P01", 'ERROR: relation "raw.orders" does not exist'),
        ("3F000", 'ERROR: schema "raw" does not exist'),
    ],
)
def test_a_view_whose_source_is_gone_is_not_reported_as_missing(state: str, cause: str) -> None:
    assert message(state, cause) == (
        f"view analytics.orders must have the relations that it reads, got {cause}: restore it, "
        f"or correct the model, then run {BUILD}"
    )


def test_a_statement_that_another_database_does_not_understand_may_have_wrong_quotes() -> None:
    connection = source_connection(JdbcSource("jdbc:hive2://h/s", "a.B", "a:b:1"))

    assert unreadable(connection, RELATION, "orders", "42000", "cannot recognize input") == (
        "cannot read from hive2://h/s: cannot recognize input. Correct the model: its "
        "query fails in the warehouse; or set quote in the --jdbc file to the quotes of names"
    )


def test_a_missing_column_is_not_reported_as_a_missing_view() -> None:
    cause = 'ERROR: column "colour" does not exist in orders'
    assert message("42703", cause) == (
        "view analytics.orders must have the columns of the export and of its own query, got "
        f"{cause}: correct the exposure, or correct the model and run {BUILD}"
    )


NETWORK = "Check host and port of the dbt target, the network, and that the warehouse runs"
SIGN_IN = "Check user and password of the dbt target, and that the user may log in"


@pytest.mark.parametrize(
    ("state", "cause", "remedy"),
    [
        ("08001", "Connection to cluster.example:5439 refused", NETWORK),
        ("08001", "The connection attempt failed. (UnknownHostException: x)", NETWORK),
        ("08006", "An I/O error occurred. (SocketTimeoutException: Read timed out)", NETWORK),
        ("", "Connection timed out", NETWORK),
        ("08006", "SSL error: PKIX path building failed", "Check sslmode, host and certificate "
         "authority (docs/security.md)"),
        ("28000", 'FATAL: no pg_hba.conf entry for host "::1", SSL off', "Check sslmode, host and "
         "certificate authority (docs/security.md)"),
        ("28P01", "FATAL: password authentication failed", SIGN_IN),
        ("28000", 'FATAL: role "loader" is not permitted to log in', SIGN_IN),
        ("3D000", 'FATAL: database "prod" does not exist', "Correct dbname of the dbt target"),
        ("53300", "FATAL: too many connections", "End other sessions, or raise the limit of "
         "connections"),
        ("53100", "ERROR: Disk Full", "Free disk or memory of the warehouse, then load again"),
        ("57014", "ERROR: canceling statement due to statement timeout", "It took longer "
         "than --stall-minutes or than the limits of the user: find what it waits for, such as a "
         "lock, or raise the limit"),
        ("57P03", "FATAL: the database system is starting up", "Wait until the warehouse is "
         "available, then load again"),
        ("55P03", "ERROR: could not obtain lock", "Wait until the lock is released, then load "
         "again"),
        ("40001", "ERROR: 1023 Serializable isolation violation", "Load again"),
        ("22012", "ERROR: division by zero", "Correct the model: its query fails in the "
         "warehouse"),
        ("42883", "ERROR: function f(integer) does not exist", "Correct the model: its query "
         "fails in the warehouse"),
        ("0A000", "ERROR: cross-database reference", "Correct the model: its query fails in the "
         "warehouse"),
    ],
)  # fmt: skip
def test_every_other_cause_leads_to_its_remedy(state: str, cause: str, remedy: str) -> None:
    assert message(state, cause) == f"{READ}: {cause}. {remedy}"
