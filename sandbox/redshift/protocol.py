"""Encode and decode messages of PostgreSQL's wire protocol 3.0, which Redshift uses.

Reference: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats".
"""

from __future__ import annotations

import struct
from typing import BinaryIO

PROTOCOL_3_0 = 196608
CANCEL_REQUEST, SSL_REQUEST, GSSENC_REQUEST = 80877102, 80877103, 80877104
_LONGEST_STARTUP = 10_000  # MAX_STARTUP_PACKET_LENGTH of PostgreSQL

# PostgreSQL rejects a connection with any other parameter. This lists the parameters to keep, not
# those to drop, because each release of a driver adds one. With `_pq_.*` PostgreSQL would answer
# NegotiateProtocolVersion, which the JDBC driver does not understand.
_FORWARDED = {
    "application_name",
    "client_encoding",
    "database",
    "datestyle",
    "extra_float_digits",
    "options",
    "timezone",
    "user",
}


class ProtocolError(Exception):
    """The peer uses another protocol."""


def read_startup(stream: BinaryIO) -> tuple[int, bytes] | None:
    """(request code, rest) of a startup message; None at the end of the stream."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    length, code = struct.unpack("!ii", head)
    if not 8 <= length <= _LONGEST_STARTUP:
        raise ProtocolError(f"a startup message must have 8 to 10000 bytes, got {length}")
    return code, stream.read(length - 8)


def startup(code: int, rest: bytes) -> bytes:
    return struct.pack("!ii", len(rest) + 8, code) + rest


def parse_parameters(rest: bytes) -> dict[str, str]:
    values = rest.decode("utf-8", "replace").split("\0")
    return {name: value for name, value in zip(values[::2], values[1::2], strict=False) if name}


def forwarded_parameters(parameters: dict[str, str]) -> bytes:
    known = {k: v for k, v in parameters.items() if k.lower() in _FORWARDED}
    return b"".join(f"{k}\0{v}\0".encode() for k, v in known.items()) + b"\0"


def read_message(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """(type, body); None at the end of the stream."""
    head = stream.read(5)
    if len(head) < 5:
        return None
    length = int.from_bytes(head[1:], "big") - 4
    body = stream.read(length)
    return (head[:1], body) if len(body) == length else None


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def error_text(body: bytes) -> str:
    """The text of an ErrorResponse, such as `ERROR 42P01: relation "x" does not exist`."""
    fields = {f[:1]: f[1:].decode("utf-8", "replace") for f in body.split(b"\0") if f}
    return f"{fields.get(b'S', 'ERROR')} {fields.get(b'C', '')}: {fields.get(b'M', '')}"
