"""Load retail.transactions from a Parquet file, with COPY in one transaction."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg2 import sql
from pyarrow import csv

from sandbox.errors import SandboxError, UsageError
from sandbox.redshift.postgres import PostgreSQL
from sandbox.settings import DATABASE, USER

DATA = Path(__file__).parent / "data" / "online_retail_2009_2010.parquet"
COLUMNS = [
    "invoice",
    "stock_code",
    "description",
    "quantity",
    "invoice_date",
    "price",
    "customer_id",
    "country",
]
_TABLE = Path(__file__).parent / "redshift" / "retail.sql"
_ROWS_AT_ONCE = 100_000
# TRUNCATE waits for sessions that read the table, and they can wait for the caller.
_LOCK_SECONDS = 30
# psycopg2 raises QueryCanceled if the rows cannot be converted to CSV.
_REFUSED = (psycopg2.DataError, psycopg2.IntegrityError, psycopg2.errors.QueryCanceled)
# FREEZE: the rows are visible at once, so that no reader has to set hint bits.
_COPY = """
copy retail.transactions (line_number, loaded_at, {columns}) from stdin with (format csv, freeze)
"""


def is_seeded(postgres: PostgreSQL) -> bool:
    with closing(postgres.connect(DATABASE)) as session, session.cursor() as cursor:
        cursor.execute("select to_regclass('retail.transactions') is not null")
        return cursor.fetchone() == (True,)


def seed(postgres: PostgreSQL, path: Path) -> int:
    """Replace all rows and return their number. Readers see either the old or the new rows."""
    file = _open(path)
    copy = _COPY.format(columns=", ".join(COLUMNS))
    with closing(postgres.connect(DATABASE)) as session, session.cursor() as cursor:
        try:
            cursor.execute(sql.SQL("set role {}").format(sql.Identifier(USER)))
            cursor.execute(f"set lock_timeout = '{_LOCK_SECONDS}s'")
            cursor.execute(_TABLE.read_text(encoding="utf-8"))
            cursor.execute("truncate retail.transactions")
            cursor.copy_expert(copy, _CsvStream(file))
            session.commit()
            cursor.execute("analyze retail.transactions")
            session.commit()
        except psycopg2.errors.LockNotAvailable as error:
            raise SandboxError(
                f"cannot replace retail.transactions: another session has locked it for "
                f"{_LOCK_SECONDS} seconds. End its transaction"
            ) from error
        except _REFUSED as error:
            raise UsageError(
                f"the rows of {path} must fit retail.transactions, got {str(error).strip()}: "
                "correct the file"
            ) from error
    return int(file.metadata.num_rows)


def _open(path: Path) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise UsageError(f"cannot read {path}: {error}. Name a Parquet file") from error
    names = file.schema_arrow.names
    missing = [name for name in COLUMNS if name not in names]
    unknown = [name for name in names if name not in COLUMNS]
    if missing or unknown:
        raise UsageError(
            f"the columns of {path} must be {COLUMNS}, got {names}: "
            f"missing {missing}, unknown {unknown}"
        )
    return file


class _CsvStream(io.RawIOBase):
    """The file as CSV, converted while COPY reads it."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self._batches = _csv_batches(file)
        self._rest = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = memoryview(next(self._batches, b""))
        size = len(self._rest) if size < 0 else size
        block, self._rest = self._rest[:size], self._rest[size:]
        return bytes(block)


def _csv_batches(file: pq.ParquetFile) -> Iterator[bytes]:
    loaded_at = datetime.now(timezone.utc).replace(tzinfo=None).isoformat(" ")
    first_line = 1
    # Strings are always quoted: COPY reads an empty field as NULL and "" as an empty string.
    options = csv.WriteOptions(include_header=False, quoting_style="all_valid")
    for batch in file.iter_batches(_ROWS_AT_ONCE, columns=COLUMNS):
        rows = batch.num_rows
        columns = {
            "line_number": pa.array(range(first_line, first_line + rows), pa.int32()),
            "loaded_at": pa.array([loaded_at]).take(pa.array([0] * rows, pa.int8())),
        } | {name: _whole_numbers(name, batch.column(name)) for name in COLUMNS}
        first_line += rows
        sink = io.BytesIO()
        csv.write_csv(pa.table(columns), sink, options)
        yield sink.getvalue()


def _whole_numbers(name: str, column: pa.Array) -> pa.Array:
    """pandas writes integers with NULLs as floats, and COPY rejects `13085.0`."""
    if name in ("quantity", "customer_id") and pa.types.is_floating(column.type):
        return column.cast(pa.int64())
    return column
