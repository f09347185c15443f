"""The source data of the sandbox, and files that replace it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox import Sandbox, SandboxError
from sandbox.errors import UsageError
from sandbox.seed import DATA
from tests.support.sandboxes import (
    cli,
)

pytestmark = pytest.mark.integration

Execute = Callable[..., list[tuple[Any, ...]]]


def test_the_source_has_the_rows_of_the_file(execute: Execute) -> None:
    assert execute(
        """
        select count(*), sum(case when customer_id is null then 1 else 0 end),
            sum(case when quantity < 0 then 1 else 0 end),
            sum(case when invoice like 'C%' then 1 else 0 end),
            count(distinct customer_id), min(line_number), max(line_number),
            count(distinct line_number), count(distinct loaded_at)
        from retail.transactions
        """
    ) == [(525_461, 107_927, 12_326, 10_206, 4_383, 1, 525_461, 525_461, 1)]
    assert execute(
        """
        select count(*) from (
            select distinct invoice, stock_code, description, quantity, invoice_date, price,
                customer_id, country
            from retail.transactions
        ) as different
        """
    ) == [(525_461 - 6_865,)]


def test_seed_replaces_the_rows_by_those_of_a_file(
    sandbox: Sandbox, execute: Execute, tmp_path: Path
) -> None:
    rows = pq.read_table(DATA).slice(0, 3).to_pylist()
    rows[1] |= {"description": None, "customer_id": None}
    rows[2] |= {"description": 'a "b", c', "price": 1.005}
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "three.parquet")
    try:
        sandbox.seed(tmp_path / "three.parquet")
        loaded = execute(
            "select line_number, invoice, description, price::varchar, customer_id "
            "from retail.transactions order by 1"
        )
        age = execute(
            "select max(abs(datediff(s, loaded_at, getdate()))) < 60 from retail.transactions"
        )
    finally:
        sandbox.seed()

    assert loaded == [
        (1, "489434", "15CM CHRISTMAS GLASS BALL 20 LIGHTS", "6.950", 13085),
        (2, "489434", None, "6.750", None),
        (3, "489434", 'a "b", c', "1.005", 13085),
    ]
    assert age == [(True,)]
    assert execute("select count(*) from retail.transactions") == [(525_461,)]


def test_a_file_with_other_columns_is_refused_with_their_names(
    sandbox: Sandbox, execute: Execute, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.parquet"
    table = pq.read_table(DATA).slice(0, 1)
    pq.write_table(table.rename_columns([*table.column_names[:-1], "land"]), file)

    with pytest.raises(UsageError, match=r"missing \['country'\], unknown \['land'\]"):
        sandbox.seed(file)
    assert cli(sandbox, "seed", "--from", str(file)).returncode == 2


def test_rows_that_do_not_fit_leave_the_old_rows(
    sandbox: Sandbox, execute: Execute, tmp_path: Path
) -> None:
    rows = pq.read_table(DATA).slice(0, 1).to_pylist()
    pq.write_table(pa.Table.from_pylist([rows[0] | {"invoice": None}]), tmp_path / "null.parquet")

    with pytest.raises(SandboxError, match=r"must fit retail\.transactions, got null value"):
        sandbox.seed(tmp_path / "null.parquet")
    assert execute("select count(*) from retail.transactions") == [(525_461,)]
