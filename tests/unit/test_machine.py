from pathlib import Path

import pytest

from loader import machine

UNLIMITED = str((1 << 63) - 4096)  # as version 1 writes it


def tree(folder: Path, membership: str, files: dict[str, str]) -> tuple[Path, Path]:
    """A copy of /proc/self/cgroup and of /sys/fs/cgroup."""
    for name, text in files.items():
        file = folder / "mount" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    (folder / "cgroup").write_text(membership)
    return folder / "cgroup", folder / "mount"


V1 = "12:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n1:name=systemd:/docker/ab\n"


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        pytest.param("0::/\n", {"cpu.max": "200000 100000"}, 2.0, id="2: a container"),
        pytest.param("0::/\n", {"cpu.max": "50000 100000"}, 0.5, id="2: half a CPU"),
        pytest.param("0::/\n", {"cpu.max": "max 100000"}, None, id="2: no limit"),
        pytest.param(
            "0::/kubepods/pod/me\n",
            {"kubepods/cpu.max": "300000 100000", "kubepods/pod/me/cpu.max": "max 100000"},
            3.0,
            id="2: a group above",
        ),
        pytest.param(
            "0::/a/b\n",
            {"a/cpu.max": "150000 100000", "a/b/cpu.max": "400000 100000"},
            1.5,
            id="2: the smallest of several",
        ),
        pytest.param(
            V1,
            {"cpu/docker/ab/cpu.cfs_quota_us": "250000", "cpu/docker/ab/cpu.cfs_period_us": "1000"},
            250.0,
            id="1: the group",
        ),
        pytest.param(
            V1,
            {"cpu/cpu.cfs_quota_us": "250000", "cpu/cpu.cfs_period_us": "100000"},
            2.5,
            id="1: a path of the host",
        ),
        pytest.param(
            V1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "1000"}, None, id="1: none"
        ),
        pytest.param("0::/../outside\n", {}, None, id="outside of the namespace"),
        pytest.param("", {}, None, id="no control groups"),
    ],
)
def test_the_cpus_of_a_container_are_those_of_its_control_groups(
    tmp_path: Path, membership: str, files: dict[str, str], quota: float | None
) -> None:
    assert machine.cpu_quota(*tree(tmp_path, membership, files)) == quota


@pytest.mark.parametrize(
    ("membership", "files", "limit"),
    [
        pytest.param("0::/\n", {"memory.max": "2147483648"}, 1 << 31, id="2: a container"),
        pytest.param("0::/\n", {"memory.max": "max"}, None, id="2: no limit"),
        pytest.param(
            "0::/pod/me\n",
            {"pod/memory.max": "1073741824", "pod/me/memory.max": "max"},
            1 << 30,
            id="2: a group above",
        ),
        pytest.param(
            V1, {"memory/docker/ab/memory.limit_in_bytes": "1048576"}, 1 << 20, id="1: the group"
        ),
        pytest.param(
            V1, {"memory/memory.limit_in_bytes": "1048576"}, 1 << 20, id="1: a path of the host"
        ),
        pytest.param(
            V1 + "0::/\n",
            {"memory/memory.limit_in_bytes": UNLIMITED},
            int(UNLIMITED),
            id="1: no limit is a huge number",
        ),
        pytest.param("", {}, None, id="no control groups"),
    ],
)
def test_the_memory_of_a_container_is_that_of_its_control_groups(
    tmp_path: Path, membership: str, files: dict[str, str], limit: int | None
) -> None:
    assert machine.memory_limit(*tree(tmp_path, membership, files)) == limit


@pytest.mark.parametrize(("quota", "cpus"), [("10000 100000", 1), ("100000 100000", 1)])
def test_a_part_of_a_cpu_counts_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cpus: int
) -> None:
    membership, mount = tree(tmp_path, "0::/\n", {"cpu.max": quota})
    monkeypatch.setattr(machine, "MEMBERSHIP", membership)
    monkeypatch.setattr(machine, "MOUNT", mount)

    assert machine.cpus() == cpus


def test_no_limit_means_all_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    membership, mount = tree(tmp_path, V1, {"memory/memory.limit_in_bytes": UNLIMITED})
    monkeypatch.setattr(machine, "MEMBERSHIP", membership)
    monkeypatch.setattr(machine, "MOUNT", mount)

    assert 0 < machine.memory() < 1 << 50
