"""Why a view cannot be read, and what to do, from the warehouse's SQLSTATE and message.

https://www.postgresql.org/docs/current/errcodes-appendix.html; Redshift has those of PostgreSQL 8.
"""

from __future__ import annotations

import re

from loader.errors import reason
from loader.items.export import Relation
from loader.warehouse.connection import Connection
from loader.warehouse.jdbc_query import qualified, sql_identifier

NO_PERMISSION = "42501"
# The second is that of MariaDB and others.
NO_RELATION, NO_COLUMN = ("42P01", "42S02", "3F000"), ("42703", "42S22")
NO_LOGIN = "28"
# A connection that was not made, or was lost; without a state the driver has made none.
CONNECTION_STATES = ("", "08")

DENIED = re.compile(r"permission denied for (?:(\w+) )?\"?([^\"]+?)\"?$")
# The privilege that the reader of a view needs, and the word of a grant, by the kind of an object.
PRIVILEGES = {
    "database": ("connect", "database"),
    "schema": ("usage", "schema"),
    "function": ("execute", "function"),
}

# Words in the drivers' messages about TLS, and the server's about a connection without it.
TLS_FAILED = re.compile(r"\bSSL\b|\bPKIX\b|hostnameverifier")

# What to do, by the beginning of the SQLSTATE; the first that fits counts.
REMEDIES = (
    ("3D", "Correct dbname of the dbt target"),
    ("53300", "End other sessions, or raise the limit of connections"),
    ("53", "Free disk or memory of the warehouse, then load again"),
    (
        "57014",
        "It took longer than --stall-minutes or than the limits of the user: find what it waits "
        "for, such as a lock, or raise the limit",
    ),
    ("57", "Wait until the warehouse is available, then load again"),
    ("55P03", "Wait until the lock is released, then load again"),
    ("40", "Load again"),
)
NETWORK = "Check host and port of the dbt target, the network, and that the warehouse runs"
MODEL = "Correct the model: its query fails in the warehouse"


def unreadable(
    connection: Connection, relation: Relation, model: str, state: str, cause: str
) -> str:
    """The message for a view that the warehouse does not describe."""
    cause = reason(cause)
    build = f"`dbt build --select {model}` with the same target"
    if state in NO_RELATION:
        if _names(cause, relation):
            return f"view {relation} must exist in {connection}, got none ({cause}): run {build}"
        return (
            f"view {relation} must have the relations that it reads, got {cause}: restore it, or "
            f"correct the model, then run {build}"
        )
    if state in NO_COLUMN:
        return (
            f"view {relation} must have the columns of the export and of its own query, got "
            f"{cause}: correct the exposure, or correct the model and run {build}"
        )
    remedy = _remedy(connection, relation, state, cause)
    if connection.source:
        remedy = remedy.replace("the dbt target", "the --jdbc file")
        if remedy == MODEL:
            remedy += "; or set quote in the --jdbc file to the quotes of names"
    if user := connection.login().user:
        return f"cannot read from {connection} as user {user}: {cause}. {remedy}"
    return f"cannot read from {connection}: {cause}. {remedy}"


def _names(cause: str, relation: Relation) -> bool:
    """Whether a message names the relation, with its schema or without it, or the schema."""
    names = re.findall(r"""["']([^"']+)["']""", cause)
    return bool({relation.schema, relation.identifier, str(relation)} & set(names))


def _remedy(connection: Connection, relation: Relation, state: str, cause: str) -> str:
    if state == NO_PERMISSION:
        user = connection.sign_in.grantee(connection.login().user)
        return _grant(user, relation, cause)
    if TLS_FAILED.search(cause):
        return "Check sslmode, host and certificate authority (docs/security.md)"
    if state.startswith(NO_LOGIN):
        return f"Check {connection.sign_in}, and that the user may log in"
    if state[:2] in CONNECTION_STATES:
        return NETWORK
    return next((remedy for begin, remedy in REMEDIES if state.startswith(begin)), MODEL)


def _grant(user: str, relation: Relation, cause: str) -> str:
    """The grant for the object that a message names.

    What a view reads is checked for the owner of the view, unless the view says otherwise:
    https://www.postgresql.org/docs/current/rules-privileges.html
    """
    match = DENIED.search(cause)
    kind, name = (match[1] or "", match[2]) if match else ("", relation.identifier)
    privilege, kind = PRIVILEGES.get(kind, ("select", "table"))
    whole = qualified(relation) if name == relation.identifier else sql_identifier(name)
    grant = f"Grant it: `grant {privilege} on {kind} {whole} to {sql_identifier(user)}`"
    is_read_by_view = privilege == "select" and name != relation.identifier
    return f"{grant}, or to the owner of the view that reads it" if is_read_by_view else grant
