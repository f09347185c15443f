"""A pipe in the place of a standard descriptor of this process."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def pipe_for(descriptor: int) -> Iterator[int]:
    """The reader of a pipe that is standard output (1) or standard error (2) in the block."""
    name = {1: "stdout", 2: "stderr"}[descriptor]
    reader, writer = os.pipe()
    before = os.dup(descriptor)
    os.dup2(writer, descriptor)
    os.close(writer)
    # pytest has its own stream there.
    file = io.FileIO(descriptor, "w", closefd=False)
    stream = io.TextIOWrapper(file, "utf-8", write_through=True)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, name, stream)
            patch.setattr(sys, f"__{name}__", stream)
            yield reader
    finally:
        os.dup2(before, descriptor)
        os.close(before)
