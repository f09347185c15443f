"""Hosts: network namespaces on a bridge, each with its own processes, /proc and /tmp.

A host reaches the bridge's address, on which the driver and the servers are, and the other hosts.
It reaches nothing else of the machine or beyond.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

# Where addresses and names of the bridges come from; 64 harnesses can run at the same time.
SUBNET = "10.213.{}.{}"
NETWORKS = range(64)
PROGRAMS = ("ip", "unshare", "mount")
# In a mount namespace of its own: /tmp is a folder of the host, and hidden folders are empty.
SETUP = """
set -e
mount --bind "$1" /tmp; shift
while [ "$1" != -- ]; do mount -t tmpfs -o ro,size=4k none "$1"; shift; done
shift
exec "$@"
"""


def missing() -> str | None:
    """Why hosts cannot be made on this machine, or None."""
    if os.geteuid():
        return "network namespaces need root"
    if programs := [name for name in PROGRAMS if not shutil.which(name)]:
        return f"{', '.join(programs)} must be installed (Debian: apt-get install iproute2)"
    name = f"r2dc-try-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)  # noqa: PLW1510
    if tried.returncode:
        return f"cannot make a network namespace: {tried.stderr.strip()}"
    _ip("netns", "delete", name)
    return None


@dataclass(frozen=True)
class Host:
    """A network namespace with one address, and a folder that only its processes write to.

    `hidden` are folders of the machine that its processes find empty.
    """

    name: str
    address: str
    folder: Path
    hidden: Sequence[Path] = ()

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """Start a program with this environment and no other variables.

        It is the first process of a process namespace: when the returned process is killed, all
        that the program has started is killed with it, as if the host had lost its power.
        """
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        hidden = [str(folder) for folder in outermost(self.hidden) if folder.is_dir()]
        isolated = ["ip", "netns", "exec", self.name]
        isolated += ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        isolated += ["sh", "-c", SETUP, "sh", str(temporary), *hidden, "--"]
        with log.open("ab") as output:
            return subprocess.Popen(
                [*isolated, *command],
                cwd=self.folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def processes(self, program: str = "") -> list[int]:
        """The processes of this host with `program` in their command, the oldest first."""
        namespace = os.stat(f"/run/netns/{self.name}").st_ino
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended
                if (process / "ns" / "net").stat().st_ino == namespace:
                    command = (process / "cmdline").read_text(errors="replace")
                    if command and program in command:
                        found.append(int(process.name))
        return sorted(found)

    def kill(self, program: str = "") -> list[int]:
        """Send SIGKILL to the processes with `program` in their command, and return them."""
        processes = self.processes(program)
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return processes

    def disconnect(self) -> None:
        """Cut the cable: packets of the host and to it are lost, and nothing tells its peers."""
        _ip("link", "set", self.name, "down")

    def connect(self) -> None:
        _ip("link", "set", self.name, "up")


def outermost(folders: Sequence[Path]) -> list[Path]:
    """The folders that are in none of the others: what is in a hidden one is hidden."""
    return [folder for folder in dict.fromkeys(folders) if not {*folder.parents} & {*folders}]


@dataclass
class Network:
    """A bridge; `address` is that of this machine, as the hosts see it."""

    number: int
    hosts: list[Host] = field(default_factory=list)

    @property
    def bridge(self) -> str:
        return f"r2dc{self.number}"

    @property
    def address(self) -> str:
        return SUBNET.format(self.number, 1)

    def add_host(self, folder: Path, hidden: Sequence[Path] = ()) -> Host:
        """Add a host; its files are below `folder`, which must not be in /tmp."""
        count = len(self.hosts) + 1
        host = Host(f"{self.bridge}-{count}", SUBNET.format(self.number, count + 1), folder, hidden)
        folder.mkdir(parents=True)
        _ip("netns", "add", host.name)
        self.hosts.append(host)
        peer = ("peer", "name", "eth0", "netns", host.name)
        _ip("link", "add", host.name, "type", "veth", *peer)
        _ip("link", "set", host.name, "master", self.bridge, "up")
        inside = ("-n", host.name)
        _ip(*inside, "address", "add", f"{host.address}/24", "dev", "eth0")
        _ip(*inside, "link", "set", "eth0", "up")
        _ip(*inside, "link", "set", "lo", "up")
        return host


@contextmanager
def network() -> Iterator[Network]:
    """A network that no other harness uses; its hosts and their processes end with the block."""
    with ExitStack() as stack:
        net = next(net for net in map(Network, NETWORKS) if _reserved(stack, net))
        _remove(net)  # what a killed harness left
        stack.callback(_remove, net)
        _ip("link", "add", net.bridge, "type", "bridge")
        _ip("address", "add", f"{net.address}/24", "dev", net.bridge)
        _ip("link", "set", net.bridge, "up")
        yield net


def _reserved(stack: ExitStack, net: Network) -> bool:
    """Whether this process has the lock on the number of the network, until the stack ends."""
    lock = Path(tempfile.gettempdir(), f"{net.bridge}.lock").open("w")  # noqa: SIM115
    stack.enter_context(lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(net: Network) -> None:
    """End all processes of the hosts, and remove hosts and bridge."""
    for line in _ip("netns", "list").splitlines():
        name = line.split()[0]
        if name.startswith(f"{net.bridge}-"):
            for pid in map(int, _ip("netns", "pids", name).split()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            # The kernel removes the cable of a deleted namespace later, with its name.
            if Path("/sys/class/net", name).exists():
                _ip("link", "delete", name)
            _ip("netns", "delete", name)
    if Path("/sys/class/net", net.bridge).exists():
        _ip("link", "delete", net.bridge)


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"cannot run ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(missing())
