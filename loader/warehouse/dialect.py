"""What differs between databases, besides the types of their columns."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

# Seconds, and milliseconds.
SECOND, MILLISECONDS = 1, 1000
Quote = Literal['"', "`", "[]"]
QUOTES: tuple[Quote, ...] = get_args(Quote)
STANDARD = QUOTES[0]
# Where the SQL mode stands in the properties.
SQL_MODE = "{sql_mode}"


@dataclass(frozen=True)
class Dialect:
    """Facts of one database.

    `quote` begins and ends a name; of two characters, the second ends it. `properties` of the
    driver apply to each connection. `session` has expressions, and what they must be in a session
    with these properties, which a URL or a proxy may have overruled. `fetch_rows` is how many rows
    the driver fetches at a time. `socket_timeout` is what the driver's property counts in a second;
    0 if it is not known to have one. After the statements of `snapshot`, a transaction reads what
    was committed then; without any, a count must end before the read begins. `whole` makes a sum a
    whole number. `text` is the cast of a value whose type has no equality. `exact` is different for
    texts that differ, whatever the collation; without it, keys are counted as the database
    compares them. Where rows have no `row_hash`, all of them are read.
    """

    quote: str = STANDARD
    properties: tuple[tuple[str, str], ...] = ()
    session: tuple[tuple[str, str], ...] = ()
    fetch_rows: int = 10_000
    socket_timeout: int = 0
    snapshot: tuple[str, ...] = ()
    whole: str = "cast({} as decimal(19, 0))"  # Oracle has no bigint
    text: str = "cast({} as varchar)"
    exact: str = "{}"
    has_row_hash: bool = False

    def quoted(self, quote: str) -> "Dialect":
        """The dialect with other quotes; those of the standard need a mode in MariaDB and MySQL."""
        mode = "ANSI_QUOTES" if quote == STANDARD else ""
        properties = ((name, value.replace(SQL_MODE, mode)) for name, value in self.properties)
        return replace(self, quote=quote, properties=tuple(properties))


# A transaction reads what was committed when its first query began.
# https://docs.aws.amazon.com/redshift/latest/dg/r_BEGIN.html,
# https://www.postgresql.org/docs/current/transaction-iso.html
POSTGRES = Dialect(
    socket_timeout=SECOND,
    snapshot=(
        "begin isolation level repeatable read",
        "select {label} 1 from {relation} where 1=0",
    ),
    exact="md5({})",
    has_row_hash=True,
    whole="cast({} as bigint)",
)

# The driver reads a result in a thread that fills a ring buffer. By default the buffer is bounded
# by bytes, 1 GB per *statement*; with 0 bytes it is bounded by rows, the fetchsize
# (https://github.com/aws/amazon-redshift-jdbc-driver/issues/20). Bounded by bytes it loses
# wake-ups: both threads then wait for a second, several times in a read of some million rows
# (RedshiftRowsBlockingQueue of version 2.3.0). More than 250 rows are no faster
# (docs/decisions/0008), and 250 rows of 400 KB, the limit of an item, take 100 MB.
REDSHIFT = Dialect(
    properties=(("fetchRingBufferSize", "0"),),
    fetch_rows=250,
    socket_timeout=SECOND,
    snapshot=POSTGRES.snapshot,
    whole=POSTGRES.whole,
    exact=POSTGRES.exact,
    has_row_hash=True,
)

# A TIMESTAMP is written in the time zone of the session. Without tinyInt1isBit=false, the driver
# returns a TINYINT(1), which holds -128 to 127, as a boolean.
# https://mariadb.com/kb/en/sql-mode/, https://mariadb.com/kb/en/about-mariadb-connector-j/,
# https://mariadb.com/kb/en/start-transaction/
MARIADB = Dialect(
    properties=(
        ("sessionVariables", f"sql_mode='{SQL_MODE}',time_zone='+00:00'"),
        ("tinyInt1isBit", "false"),
        ("yearIsDateType", "false"),
    ),
    session=(("@@session.time_zone", "+00:00"),),
    socket_timeout=MILLISECONDS,
    snapshot=(
        "set session transaction isolation level repeatable read",
        "start transaction with consistent snapshot",
    ),
    whole="cast({} as signed)",
    text="cast({} as char)",
    exact="md5({})",
)

# https://dev.mysql.com/doc/connector-j/en/connector-j-reference-implementation-notes.html: without
# a cursor, the driver keeps the whole result in memory.
MYSQL = replace(MARIADB, quote="`", properties=(*MARIADB.properties, ("useCursorFetch", "true")))

DIALECTS = {
    "redshift": REDSHIFT,
    "postgres": POSTGRES,
    "mariadb": MARIADB,
    "mysql": MYSQL,
    "standard": Dialect(),
}
