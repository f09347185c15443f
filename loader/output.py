"""Standard output and standard error: a terminal, pipe or file that fails never breaks a run."""

import io
import logging
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

STANDARD = (0, 1, 2)


@contextmanager
def safe_output() -> Iterator[None]:
    """Make standard output and standard error of the process safe in the block.

    A character that the encoding does not have is written as its escape. What cannot be written,
    because a pipe is closed or a disk is full, is dropped; `failure` has the reason. The log
    messages of libraries are one line, and those of py4j are hidden: it logs a traceback when the
    JVM ends, which the loader reports.
    """
    _open_missing()
    before = sys.stdout, sys.stderr
    sys.stdout = safe_stream(sys.stdout, sys.__stdout__, 1)
    sys.stderr = safe_stream(sys.stderr, sys.__stderr__, 2)
    log = logging.StreamHandler()
    log.setLevel(logging.WARNING)
    log.addFilter(lambda record: "/py4j/" not in record.pathname)
    logging.getLogger().addHandler(log)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(log)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def failure() -> OSError | None:
    """Why standard output could not be written; None if it could, or if its reader has gone."""
    file: Any = getattr(sys.stdout, "buffer", None)
    error = file.error if isinstance(file, _SafeFile) else None
    return None if isinstance(error, BrokenPipeError) else error


class _SafeFile(io.FileIO):
    """A file descriptor whose first failure is kept, and which drops everything from then on."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        while rest and self.error is None:
            try:
                written = super().write(rest)
            except OSError as error:
                self.error = error
            else:
                if written is None:
                    select.select([], [self], [])  # a non-blocking terminal or pipe is full
                rest = rest[written or 0 :]
        return len(data)


def safe_stream(stream: Any, original: Any, descriptor: int) -> TextIO:
    """The stream, safe as in `safe_output`, if it is the original: the process's own.

    One that a program has put in its place stays.
    """
    if stream is not original:
        return stream  # type: ignore[no-any-return]
    encoding = "utf-8"
    if stream is not None:
        stream.flush()
        encoding = stream.encoding
    file = _SafeFile(descriptor, "w", closefd=False)
    # Without a buffer, so that a line is not written twice if a signal interrupts the write.
    return io.TextIOWrapper(file, encoding, "backslashreplace", write_through=True)


def _open_missing() -> None:
    """Open a closed standard descriptor, so that no other file gets its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) in STANDARD:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
