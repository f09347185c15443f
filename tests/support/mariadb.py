"""A MariaDB server in a folder of its own, for tests where it is installed."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loader.warehouse.connection import Driver
from sandbox.ports import free_ports
from sandbox.processes import Daemon

# Debian's package; a program in sbin may not be on the path.
SERVER = shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/local/bin")
SYSTEM_TABLES = Path("/usr/share/mysql/mysql_system_tables.sql")
MISSING = "needs mariadbd (Debian: apt-get install mariadb-server-core)"

USER, PASSWORD = "loader", "Sandbox-0nly"
DRIVER = Driver("org.mariadb.jdbc.Driver", "org.mariadb.jdbc:mariadb-java-client:3.5.11")


@contextmanager
def running_mariadb(folder: Path) -> Iterator[int]:
    """The port of a server whose user may do everything."""
    assert SERVER
    data = folder / "data"
    data.mkdir()
    plain = [SERVER, "--no-defaults", "--user=root", f"--datadir={data}"]
    plain += ["--innodb-buffer-pool-size=8M"]
    tables = f"create database mysql;\nuse mysql;\n{SYSTEM_TABLES.read_text()}"
    subprocess.run([*plain, "--bootstrap"], input=tables, text=True, check=True)
    users = folder / "users.sql"
    users.write_text(
        f"create user {USER} identified by '{PASSWORD}';\ngrant all on *.* to {USER};\n"
    )
    (port,) = free_ports(1)
    server = Daemon("mariadb", folder)
    command = [*plain, f"--socket={folder}/socket", f"--init-file={users}"]
    server.start([*command, "--bind-address=127.0.0.1", f"--port={port}"], {})
    try:
        server.require_ready(lambda: _answers(port))
        yield port
    finally:
        server.stop()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
