"""The rows and items that a run did not write: rejects.jsonl, one JSON line per entry.

Tasks write shards on the executors, and the driver joins the shards of the attempts that returned.
Memory holds one line.
"""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from loader.items.canonical import key_text
from loader.items.digest import digest
from loader.storage.location import Location

REJECTS_FILE = "rejects.jsonl"
REJECT_SHARDS = "rejects"  # folder of the shards, in the folder of a run
REJECTED, NOT_SENT = "rejected", "not_sent"
# For a larger item the list has only its digest, so that it stays readable.
ITEM_CHARACTERS = 4_096
COPY_BYTES = 1 << 20
# Rejects of a task that are shown in the report; the list has all of them.
REJECT_EXAMPLES = 100


@dataclass(frozen=True)
class Rejects:
    """The list of one run; picklable."""

    folder: Location
    run: str
    export: str

    @contextmanager
    def shard(self, name: str) -> Iterator["RejectShard"]:
        """A shard that is kept only if the block ends without an error."""
        with ExitStack() as stack:
            yield RejectShard(self, name, stack)

    def line(
        self, kind: str, partition: int | None, key: str | None, rows: int | None, reason: str
    ) -> dict[str, Any]:
        """A reject without its item. `rows` is None for a change that was not sent."""
        return {
            "kind": kind,
            "run": self.run,
            "export": self.export,
            "partition": partition,
            "key": None if key is None else json.loads(f"{{{key}}}"),
            "rows": rows,
            "reason": reason,
        }

    def join(self, shards: Iterable[str], lines: Iterable[dict[str, Any]] = ()) -> None:
        """Create or replace rejects.jsonl: the lines, then the shards, in order."""
        with self.folder.replace(REJECTS_FILE) as stream:
            for line in lines:
                stream.write(_encoded(line))
            for name in shards:
                with (self.folder / REJECT_SHARDS).open(name) as shard:
                    shutil.copyfileobj(shard, stream, COPY_BYTES)


def rejected_keys(run: Location, shard: str) -> Iterator[str]:
    """The keys in a shard of a run's folder, as JSON; the lines of one shard are in memory."""
    for line in (run / REJECT_SHARDS).read(shard).splitlines():
        key = json.loads(line)["key"]
        yield key_text(key, key)


class RejectShard:
    """The rejects of one task, in a file that the first reject creates."""

    def __init__(self, rejects: Rejects, name: str, stack: ExitStack) -> None:
        self.rejects, self.name = rejects, name
        self._stack = stack
        self._stream: Any = None

    @property
    def file(self) -> str | None:
        """The shard's name; None while it has no line."""
        return self.name if self._stream else None

    def rejected(
        self, partition: int | None, key: str, rows: int | None, reason: str, item: str | None
    ) -> None:
        """Add an item that cannot be written; `item` is its JSON without outer braces, or None."""
        line = self.rejects.line(REJECTED, partition, key, rows, reason)
        if item is not None and len(item) <= ITEM_CHARACTERS:
            line["item"] = json.loads(f"{{{item}}}")
        else:
            line["item_digest"] = None if item is None else digest(item).hex()
        self._write(line)

    def not_sent(self, partition: int, key: str, reason: str, item: str) -> None:
        """Add a change that DynamoDB did not acknowledge; its item is in the changeset."""
        line = self.rejects.line(NOT_SENT, partition, key, None, reason)
        self._write({**line, "item_digest": digest(item).hex()})

    def _write(self, line: dict[str, Any]) -> None:
        if self._stream is None:
            folder = self.rejects.folder / REJECT_SHARDS
            self._stream = self._stack.enter_context(folder.replace(self.name))
        self._stream.write(_encoded(line))


def _encoded(line: dict[str, Any]) -> bytes:
    # ASCII, so that a lone surrogate of a value cannot break the file.
    return json.dumps(line).encode() + b"\n"
