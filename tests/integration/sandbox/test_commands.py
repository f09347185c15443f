"""The commands of `python -m sandbox`, and the services' addresses."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from sandbox import PortBusy, Sandbox
from tests.support.repository import REPOSITORY
from tests.support.sandboxes import cli, execute, logged
from tests.support.tables import create_table

pytestmark = pytest.mark.integration


def test_boto3_finds_dynamodb_and_s3_through_the_environment(sandbox_env: dict[str, str]) -> None:
    dynamodb, s3 = boto3.client("dynamodb"), boto3.client("s3")
    create_table(dynamodb, "table", {"k": "S"})
    dynamodb.put_item(TableName="table", Item={"k": {"S": "1"}})
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="o", Body=b"x")

    assert dynamodb.get_item(TableName="table", Key={"k": {"S": "1"}})["Item"] == {"k": {"S": "1"}}
    assert s3.get_object(Bucket="bucket", Key="o")["Body"].read() == b"x"


def test_the_services_listen_on_the_loopback_interface_only(sandbox: Sandbox) -> None:
    listeners = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    ports = [f":{port:04X}" for port in sandbox.settings.ports().values()]
    bound = {
        line.split()[1]
        for line in listeners.splitlines()
        if line.split()[3] == "0A" and line.split()[1].endswith(tuple(ports))
    }

    assert bound == {f"0100007F{port}" for port in ports}


def test_a_second_up_changes_nothing(sandbox: Sandbox) -> None:
    before = sandbox.status()
    again = cli(sandbox, "up")

    assert (again.returncode, again.stdout, again.stderr) == (
        0,
        "",
        "sandbox: all services are running\n",
    )
    assert sandbox.status() == before


def test_a_shell_can_evaluate_the_output_of_env(sandbox: Sandbox) -> None:
    script = cli(sandbox, "env").stdout
    output = subprocess.run(
        ["/bin/sh", "-c", f"{script}\nenv"], env={}, capture_output=True, text=True, check=True
    ).stdout.splitlines()

    assert {f"{name}={value}" for name, value in sandbox.env().items()} <= set(output)
    assert len(shlex.split(script)) == 2 * len(sandbox.env())


def test_status_prints_the_state_of_each_service(private_sandbox: Sandbox) -> None:
    private_sandbox.stop("dynamodb")
    status = cli(private_sandbox, "status")

    ports = private_sandbox.settings.ports()
    pids = {service.name: service.pid for service in private_sandbox.status()}
    assert status.returncode == 3
    assert status.stdout.splitlines() == [
        f"postgres  port {ports['postgres_port']:<6} running  pid {pids['postgres']}",
        f"redshift  port {ports['redshift_port']:<6} running  pid {pids['redshift']}",
        f"dynamodb  port {ports['dynamodb_port']:<6} stopped",
    ]
    private_sandbox.up()
    assert cli(private_sandbox, "status").returncode == 0


@pytest.mark.parametrize("service", ["redshift", "postgres", "dynamodb"])
def test_a_busy_port_is_reported_and_nothing_is_started(new_sandbox: Sandbox, service: str) -> None:
    port = new_sandbox.settings.ports()[f"{service}_port"]
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(PortBusy, match=rf"port of {service} .* 127\.0\.0\.1:{port}: "):
            new_sandbox.up()
        run = cli(new_sandbox, "up", f"--{service}-port", str(port))

    assert run.returncode == 2
    assert [service.pid for service in new_sandbox.status()] == [None, None, None]


def test_reset_restores_the_initial_state(private_sandbox: Sandbox) -> None:
    execute(private_sandbox, "create schema analytics")
    execute(private_sandbox, "delete from retail.transactions where line_number > 1")
    private_sandbox.reset()

    assert execute(private_sandbox, "select count(*) from retail.transactions") == [(525_461,)]
    schemas = "select nspname from pg_namespace where nspname = 'analytics'"
    assert execute(private_sandbox, schemas) == []
    assert logged(private_sandbox, "create schema") == []


def test_a_missing_emulator_is_reported_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_VENV", str(tmp_path))
    process = subprocess.run(
        [sys.executable, "-m", "sandbox", "up", "--dir", str(tmp_path / "state")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 2
    assert process.stderr.endswith(f"got no {tmp_path}/bin/ministack: run `make setup`\n")


def test_run_gives_a_command_a_temporary_sandbox_and_returns_its_exit_code() -> None:
    script = (
        "import os, redshift_connector as r, sys\n"
        "e = os.environ\n"
        "c = r.connect(host=e['REDSHIFT_HOST'], port=int(e['REDSHIFT_PORT']), ssl=False,\n"
        "    user=e['REDSHIFT_USER'], password=e['REDSHIFT_PASSWORD'], database='dev').cursor()\n"
        "c.execute('select count(*) from retail.transactions')\n"
        "print(c.fetchone()[0], e['REDSHIFT_PORT'])\n"
        "sys.exit(7)\n"
    )
    command = [sys.executable, "-m", "sandbox", "run", "--", sys.executable, "-c", script]
    run = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False)

    rows, port = run.stdout.split()
    assert (run.returncode, rows) == (7, "525461")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(port))) != 0  # stopped


def test_sql_runs_one_statement_and_prints_its_rows(sandbox: Sandbox) -> None:
    rows = cli(sandbox, "sql", "select 1 as a, 'x' as b union all select 2, 'y' order by 1")
    wrong = cli(sandbox, "sql", "select nonsense")

    assert (rows.returncode, rows.stdout, rows.stderr) == (0, "1\tx\n2\ty\n", "2 rows\n")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith('sandbox: cannot run the statement: column "nonsense" does')
