"""The list of what a run did not write, one JSON line each: rejects.jsonl in the run's folder.

Tasks write part files on the executors while they work, and the driver joins those that count: the
parts of the attempts that returned. Memory holds one line.
"""

import json
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from loader.storage.location import Location

FILE = "rejects.jsonl"
PARTS = "rejects"  # the folder of a run that holds the parts
REJECTED, NOT_SENT = "rejected", "not_sent"
# A larger item is named by its digest: a list of rejects must stay readable.
ITEM_CHARACTERS = 4_096
COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Rejects:
    """Where the rejects of one run go; picklable."""

    folder: Location
    run: str
    export: str

    def part(self, name: str) -> "RejectsPart":
        return RejectsPart(self, name)

    def line(
        self, kind: str, partition: int | None, key: str | None, rows: int | None, reason: str
    ) -> dict[str, Any]:
        """A reject without its item. `rows` is None where only the plan knew them."""
        return {
            "kind": kind,
            "run": self.run,
            "export": self.export,
            "partition": partition,
            "key": None if key is None else json.loads(f"{{{key}}}"),
            "rows": rows,
            "reason": reason,
        }

    def join(self, parts: Iterable[str], lines: Iterable[dict[str, Any]] = ()) -> None:
        """Write rejects.jsonl anew: the lines, then those of the parts, in order."""
        with self.folder.create(FILE) as target:
            for line in lines:
                target.write(_encoded(line))
            for name in parts:
                with (self.folder / PARTS).open(name) as source:
                    shutil.copyfileobj(source, target, COPY_BYTES)


class RejectsPart:
    """A part file, made when its first reject comes; there only if the block ends well."""

    def __init__(self, rejects: Rejects, name: str) -> None:
        self.rejects, self.name = rejects, name
        self.written = False
        self._stack = ExitStack()
        self._stream: Any = None

    def __enter__(self) -> "RejectsPart":
        self._stack.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    @property
    def file(self) -> str | None:
        """The part's name where it has a line."""
        return self.name if self.written else None

    def rejected(
        self, partition: int | None, key: str, rows: int | None, reason: str, inside: str | None
    ) -> None:
        """An item that cannot be written; `inside` is its JSON without braces, None if unknown."""
        line = self.rejects.line(REJECTED, partition, key, rows, reason)
        if inside is not None and len(inside) <= ITEM_CHARACTERS:
            line["item"] = json.loads(f"{{{inside}}}")
        else:
            line["item_digest"] = None if inside is None else digest(inside)
        self._write(line)

    def not_sent(self, partition: int, key: str, reason: str, inside: str) -> None:
        """A change that DynamoDB did not acknowledge; the changeset has its item."""
        line = self.rejects.line(NOT_SENT, partition, key, None, reason)
        self._write({**line, "item_digest": digest(inside)})

    def _write(self, line: dict[str, Any]) -> None:
        if self._stream is None:
            folder = self.rejects.folder / PARTS
            self._stream = self._stack.enter_context(folder.create(self.name))
            self.written = True
        self._stream.write(_encoded(line))


def digest(inside: str) -> str:
    """Of an item's JSON without its braces, in hexadecimal: the changeset's `digest`."""
    return blake2b(inside.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _encoded(line: dict[str, Any]) -> bytes:
    # ASCII, so that a lone surrogate of a value cannot break the file.
    return json.dumps(line).encode() + b"\n"
