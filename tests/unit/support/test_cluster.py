"""The parts of the cluster harness that need no cluster."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from tests.cluster.cases import CASES
from tests.cluster.forwarding import forwarded
from tests.cluster.network import outermost
from tests.cluster.run import Result
from tests.cluster.table import BEGIN, END, write_table
from tests.support.repository import REPOSITORY
from tests.support.sandboxes import wait_until


@contextmanager
def echo(prefix: bytes) -> Iterator[int]:
    """A server that answers one connection with the prefix and what it has received."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(prefix + client.recv(100))

        thread = Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"question")
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(100), b""))


def test_a_forward_follows_its_target_with_the_next_connection() -> None:
    with echo(b"1 ") as one, echo(b"2 ") as two, forwarded("127.0.0.1", one) as forward:
        answers = [ask(forward.port)]
        forward.target = two
        answers.append(ask(forward.port))

    assert answers == [b"1 question", b"2 question"]


def test_a_condition_that_stays_false_is_reported_with_its_rule() -> None:
    with pytest.raises(TimeoutError, match=r"a worker must register, got not within 0 s"):
        wait_until(lambda: False, "a worker must register", 0)


def test_a_case_holds_if_its_last_command_completes_and_the_table_equals_the_model() -> None:
    results = [
        Result(CASES[0], "4.3.0", 0, True),
        Result(CASES[0], "4.3.0", 1, True),
        Result(CASES[0], "4.3.0", 0, False),
        Result(CASES[0], "4.3.0", 0, True, ["a worker must keep no rows"]),
    ]

    assert [result.green for result in results] == [True, False, False, False]
    assert results[0].row == {
        "case": "folder",
        "spark": "4.3.0",
        "exit_code": 0,
        "table_equals_model": True,
    }


def test_the_table_replaces_what_is_between_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    write_table(page, [Result(CASES[0], "4.3.0", 0, True)])

    lines = page.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert lines[4] == f"| `folder` | {CASES[0].event} | a shared folder | 4.3.0 | 0 | yes |"


def test_each_main_version_of_spark_has_pinned_packages() -> None:
    folder = REPOSITORY / "tests" / "cluster"
    pinned = {path.parent.name: path.read_text() for path in folder.glob("*/requirements.txt")}

    assert {name: text.partition("pyspark==")[2][0] for name, text in pinned.items()} == {
        "spark3": "3",
        "spark4": "4",
    }


def test_a_folder_in_a_hidden_folder_is_hidden_with_it() -> None:
    """As .venv in the repository: there is nothing to mount on any more."""
    root, other = Path("/repository"), Path("/drivers")
    assert outermost([root, root / ".venv", other, root / "a" / "b", root]) == [root, other]
