"""The section "Your own dbt project" of the documentation, done literally in a new project.

Only its first step is left out: it would download what this environment already has.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import Sandbox
from tests.support.repository import REPOSITORY

pytestmark = pytest.mark.integration

Run = Callable[..., Any]

PAGE = (REPOSITORY / "docs" / "your-own-project.md").read_text()
SECTION = PAGE.split("\n## Your own dbt project\n")[1].split("\n## ")[0]
BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
# What the reader has: a project of `dbt init`, a profile, and a model with a customer, a product
# and a time.
PROJECT = {
    "dbt_project.yml": "name: shop\nversion: 1.0.0\nprofile: shop\nmodel-paths: [models]\n",
    "profiles.yml": """
shop:
  target: dev
  outputs:
    dev:
      type: redshift
      host: "{{ env_var('REDSHIFT_HOST') }}"
      port: "{{ env_var('REDSHIFT_PORT') | as_number }}"
      dbname: dev
      user: "{{ env_var('REDSHIFT_USER') }}"
      password: "{{ env_var('REDSHIFT_PASSWORD') }}"
      schema: own_project
      sslmode: disable
""",
    "models/orders.sql": """
        select customer_id, stock_code as product_id, invoice_date as ordered_at
        from retail.transactions
        where customer_id is not null
    """,
}


def dedent(text: str) -> str:
    """The block without the indent of its step."""
    indent = re.match(" *", text)
    assert indent
    return re.sub(rf"^ {{{len(indent[0])}}}", "", text, flags=re.MULTILINE)


def steps() -> list[tuple[str, str]]:
    """The blocks of the numbered steps: language and text."""
    numbered = SECTION[: SECTION.index("\n[Exports]")]
    return [(language, dedent(text)) for language, text in BLOCK.findall(numbered)]


def test_the_section_works_as_it_is_written(
    sandbox: Sandbox, execute: Run, items: Run, tmp_path: Path
) -> None:
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    environment = {n: v for n, v in os.environ.items() if not n.startswith(("REDSHIFT_", "DBT_"))}
    environment |= sandbox.env() | {
        "LOADER": str(REPOSITORY),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    [(shell, install), *others] = steps()
    for language, text in others:
        if language == "bash":
            subprocess.run(
                ["bash", "-euo", "pipefail", "-c", text],
                cwd=tmp_path,
                env=environment,
                check=True,
            )
        else:
            first, rest = text.split("\n", 1)
            path = tmp_path / first.lstrip("-# ")
            path.write_text((path.read_text() if path.exists() else "") + rest)

    [(orders, customers)] = execute(
        "select count(*), count(distinct customer_id) from own_project.orders"
    )
    loaded = items("customer_orders")
    assert (shell, "pip install" in install) == ("bash", True)
    assert len(loaded) == customers
    assert sum(len(item["products"]) for item in loaded) == orders
    assert yaml.safe_load((tmp_path / "dbt_project.yml").read_text())["vars"] == {"partitions": 30}
