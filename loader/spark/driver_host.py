"""The address at which the executors of a standalone cluster reach the driver.

Spark takes that of the machine's name, or of its first network interface: in a container or beside
Docker often one that other machines do not reach. Executors then end without a message here.
"""

import ipaddress
import os
import re
import socket
from collections.abc import Mapping

from loader.spark.properties import MASTER, conf_file

HOST = "spark.driver.host"
# Spark's own ways to choose an address:
# https://spark.apache.org/docs/latest/configuration.html#environment-variables
PROPERTIES = (HOST, "spark.driver.bindAddress")
VARIABLES = ("SPARK_LOCAL_IP", "SPARK_LOCAL_HOSTNAME")
# The JVM has these variables from a script too, which this process does not run.
SCRIPT = "spark-env.sh"
SET = re.compile(rf"^\s*(?:export\s+)?(?:{'|'.join(VARIABLES)})=\S", re.MULTILINE)
STANDALONE = re.compile(r"spark://(\[[^\]]+\]|[^:,]+):(\d+).*")


def driver_host(given: Mapping[str, str]) -> dict[str, str]:
    """The property with this machine's address on the route to the master, unless one is chosen."""
    chosen = [*map(given.get, PROPERTIES), *map(os.environ.get, VARIABLES)]
    master = STANDALONE.fullmatch(given.get(MASTER, ""))
    if any(chosen) or master is None or SET.search(_script()):
        return {}
    try:
        address = _local_address(master[1].strip("[]"), int(master[2]))
    except OSError:  # Spark reports that it does not reach the master
        return {}
    is_loopback = ipaddress.ip_address(address).is_loopback
    return {} if is_loopback else {HOST: f"[{address}]" if ":" in address else address}


def _script() -> str:
    """The script, empty if there is none that this user can read: the JVM cannot read it either."""
    try:
        return conf_file(SCRIPT).read_text(errors="replace")
    except OSError:
        return ""


def _local_address(host: str, port: int) -> str:
    """The address of this machine that packets to the host would have; sends none."""
    (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
        host, port, type=socket.SOCK_DGRAM
    )
    with socket.socket(family, kind, protocol) as route:
        route.connect(address)
        return str(route.getsockname()[0])
